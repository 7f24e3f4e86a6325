"""`silver-guardian model` on the bundles that ship and on broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sg_common.cli.main import main

from testbed.audio_bundle import CALIBRATION, make_audio_bundle

MODELS = Path(__file__).resolve().parents[4] / "models"


@pytest.mark.parametrize("name", sorted(path.name for path in MODELS.iterdir()))
def test_the_shipped_bundles_pass(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "check", str(MODELS / name)]) == 0
    assert "may be served; this CPU runs" in capsys.readouterr().out


def test_a_bundle_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    point = {
        **CALIBRATION["thresholds"],
        "false_alarm_rate": 0.04,
        "false_alarm_interval": [0.021, 0.06],
        "detection_rate": 0.5,
    }
    folder = make_audio_bundle(tmp_path, calibration={**CALIBRATION, "operating_points": {"low_false_alarm": point}})
    assert main(["model", "inspect", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "difference-ratio 0.0.1"
    assert "task       audio-deepfake" in lines
    assert "thresholds likely_authentic under 0.3, likely_deepfake from 0.8" in lines
    assert lines[-1].endswith("false alarms 4.0% (2.1% to 6.0%), detected 50.0%")
    assert "ms a row of fp32, one thread" in "".join(lines)


def test_every_variant_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_audio_bundle(tmp_path)
    assert main(["model", "check", str(folder)]) == 78
    assert "the model card is missing" in capsys.readouterr().err
    (folder / "MODEL_CARD.md").touch()
    document = json.loads((folder / "model.json").read_text())
    document["variants"]["amx"] = document["variants"]["fp32"] | {"requires": ["an_instruction_set_of_2090"]}
    document["golden"]["tolerance"]["amx"] = 0.01
    (folder / "model.json").write_text(json.dumps(document))
    assert main(["model", "check", str(folder)]) == 0
    assert "amx: whole, but not run: it needs an_instruction_set_of_2090" in capsys.readouterr().out
    document["variants"]["amx"]["sha256"] = "0" * 64
    (folder / "model.json").write_text(json.dumps(document))
    assert main(["model", "check", str(folder)]) == 78
    assert "SHA-256" in capsys.readouterr().err


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("check", "inspect"):
        assert main(["model", verb, str(tmp_path)]) == 78
        assert "model.json: cannot be read" in capsys.readouterr().err

"""The bundles that ship, as this service uses them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.analyzer import build_analyzer
from audio_analyzer.scoring import Detector
from audio_analyzer.settings import AudioSettings
from sg_common.analysis import AnalysisOptions, Job, Status
from sg_common.bundle import load_bundle, read_spec
from sg_common.runtime import Runtime

from testbed.media import write_audio
from testbed.speech import RATE, noise, speech

MODELS = Path(__file__).parents[3] / "models"
AUDIO = read_spec(MODELS / "audio")


@pytest.fixture(params=sorted(AUDIO.variants))
def detector(request: pytest.FixtureRequest) -> Detector:
    runtime = Runtime(threads=1)
    if missing := set(AUDIO.variants[request.param].requires) - runtime.cpu.features:
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    return Detector(load_bundle(MODELS / "audio", task="audio-deepfake", runtime=runtime, variant=request.param))


def test_windows_are_no_longer_than_what_the_model_learned_from(detector: Detector) -> None:
    assert detector.input.window_seconds <= 2.7


def test_a_windows_score_does_not_depend_on_its_neighbours(detector: Detector) -> None:
    size = detector.input.window
    windows = [np.roll(speech(20), 7000 * n)[:size] * 0.8**n + noise(1, 1e-3)[0] for n in range(6)]
    together = detector.logits([window.astype(np.float32) for window in windows])
    alone = [detector.logits([window.astype(np.float32)])[0] for window in windows]
    assert together == pytest.approx(alone, abs=0.01)
    assert len(set(np.round(together, 3))) == len(windows), "the score depends on the sound"


def test_a_windows_score_does_not_depend_on_its_level(detector: Detector) -> None:
    window = speech(20)[: detector.input.window]
    plain, quiet = detector.logits([window, (0.03 * window).astype(np.float32)])
    assert quiet == pytest.approx(plain, abs=0.1)


def test_a_recording_is_judged_by_the_shipped_models(tmp_path: Path) -> None:
    path = write_audio(
        tmp_path / "call.m4a", np.concatenate([noise(2), speech(9), noise(3)])[None], rate=RATE, codec="aac"
    )
    analyzer = build_analyzer(AudioSettings(models_root=MODELS))
    analyzer.self_test()
    report = analyzer.analyze(path, AnalysisOptions(), Job())
    assert report.status is Status.SUCCESS
    assert (report.model.name, report.model.version) == (AUDIO.name, AUDIO.version)
    assert len(report.segments) >= 3

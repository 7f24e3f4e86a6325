"""The bundles that ship, as this service uses them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from audio_analyzer.analyzer import AudioAnalyzer
from audio_analyzer.model import VoiceModel
from audio_analyzer.settings import AudioSettings
from sg_common.analysis import AnalysisOptions, Job, Status
from sg_common.bundle.spec import VoiceSpec, read_spec
from sg_common.runtime import Runtime
from sg_common.verdict import Policy

from testbed.media import write_audio
from testbed.speech import RATE, noise, speech

MODELS = Path(__file__).parents[3] / "models"
AUDIO = read_spec(MODELS / "audio")


@pytest.fixture(params=sorted(AUDIO.variants))
def model(request: pytest.FixtureRequest) -> VoiceModel:
    runtime = Runtime(threads=1)
    if missing := set(AUDIO.variants[request.param].requires) - runtime.cpu.features:
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    return VoiceModel.load(MODELS / "audio", runtime, request.param)


def test_windows_are_no_longer_than_what_the_model_learned_from(model: VoiceModel) -> None:
    assert model.input.window_seconds <= 2.7


def test_a_windows_score_does_not_depend_on_its_neighbours(model: VoiceModel) -> None:
    size = model.input.window
    windows = [np.roll(speech(20), 7000 * n)[:size] * 0.8**n + noise(1, 1e-3)[0] for n in range(6)]
    together = model.logits([window.astype(np.float32) for window in windows])
    alone = [model.logits([window.astype(np.float32)])[0] for window in windows]
    assert together == pytest.approx(alone, abs=0.01)
    assert len(set(np.round(together, 3))) == len(windows), "the score depends on the sound"


def test_a_windows_score_does_not_depend_on_its_level(model: VoiceModel) -> None:
    window = speech(20)[: model.input.window]
    plain, quiet = model.logits([window, (0.03 * window).astype(np.float32)])
    assert quiet == pytest.approx(plain, abs=0.1)


def test_a_recording_is_judged_by_the_shipped_models(tmp_path: Path) -> None:
    path = write_audio(
        tmp_path / "call.m4a", np.concatenate([noise(2), speech(9), noise(3)])[None], rate=RATE, codec="aac"
    )
    analyzer = AudioAnalyzer(AudioSettings(models_root=MODELS))
    report = analyzer.analyze(path, AnalysisOptions(), Job())
    assert report.status is Status.SUCCESS
    assert (report.model.name, report.model.version) == (AUDIO.name, AUDIO.version)
    assert len(report.segments) >= 3
    assert report.policy_rates is not None


def test_every_policy_has_measured_rates() -> None:
    points = AUDIO.calibration.operating_points if isinstance(AUDIO, VoiceSpec) else {}
    assert set(points) == set(get_args(Policy))
    for point in points.values():
        assert 0 < point.false_alarm_rate < point.detection_rate < 1


def test_a_second_of_speech_is_judged(tmp_path: Path) -> None:
    analyzer = AudioAnalyzer(AudioSettings(models_root=MODELS))
    for seconds, status in ((1.4, Status.SUCCESS), (0.5, Status.INCONCLUSIVE)):
        samples = np.concatenate([noise(2, 1e-3), speech(seconds), noise(2, 1e-3)])
        path = write_audio(tmp_path / "short.wav", samples[None], rate=RATE)
        report = analyzer.analyze(path, AnalysisOptions(), Job())
        assert report.status is status

"""The real voice-activity bundle and a small detector whose logit is a plain function of the waveform."""

from __future__ import annotations

from pathlib import Path

import pytest
from audio_analyzer.analyzer import AudioAnalyzer
from audio_analyzer.settings import AudioSettings
from audio_analyzer.speech import VoiceActivity
from sg_common.runtime import Runtime

from testbed.audio_bundle import make_audio_bundle

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="session")
def voice_activity() -> VoiceActivity:
    return VoiceActivity.load(MODELS / "voice_activity", Runtime())


@pytest.fixture(scope="session")
def detector_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_audio_bundle(tmp_path_factory.mktemp("detector"))


@pytest.fixture(scope="session")
def settings(detector_dir: Path) -> AudioSettings:
    return AudioSettings(models_root=MODELS, model_dir=detector_dir)


@pytest.fixture(scope="session")
def analyzer(settings: AudioSettings) -> AudioAnalyzer:
    return AudioAnalyzer(settings)

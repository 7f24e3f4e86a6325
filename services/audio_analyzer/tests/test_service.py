"""The service as the doors find it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from audio_analyzer.report import AudioReport
from audio_analyzer.service import SERVICE
from audio_analyzer.settings import AudioSettings
from sg_common.errors import SettingsError
from sg_common.service import installed_services


def test_the_entry_point_names_the_service() -> None:
    (service,) = [found for found in installed_services() if found.kind == "audio"]
    assert service is SERVICE
    assert (service.port, service.report) == (8000, AudioReport)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SG_AUDIO_BATCH_SIZE", "4")
    monkeypatch.setenv("SG_AUDIO_MODEL_DIR", "/models/other")
    settings = AudioSettings.from_environment()
    assert settings.audio_batch_size == 4
    assert str(settings.model_dir) == "/models/other"
    monkeypatch.setenv("SG_AUDIO_BATCH_SIZE", "0")
    with pytest.raises(SettingsError, match="SG_AUDIO_BATCH_SIZE"):
        AudioSettings.from_environment()


def test_judging_imports_no_heavy_library() -> None:
    code = (
        "import sys, audio_analyzer.analyzer; "
        "print(sorted({'librosa', 'scipy', 'numba', 'sklearn', 'fastapi', 'boto3', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

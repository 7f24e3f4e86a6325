from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.pictures import COLUMNS, draw
from audio_analyzer.settings import AudioSettings
from PIL import Image
from sg_common.analysis import AnalysisOptions, Job, Report

from testbed.media import Sound, write_media

UNUSED = Report.model_construct()


def picture(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L"))


@pytest.mark.parametrize("seconds", [0.4, 40.0])
def test_a_tone_in_the_second_half(tmp_path: Path, seconds: float) -> None:
    time = np.arange(round(16000 * seconds)) / 16000
    samples = np.where(time < seconds / 2, 0, 0.5 * np.sin(2 * np.pi * 2000 * time)).astype(np.float32)
    path = write_media(tmp_path / "tone.wav", sound=Sound(samples[None], rate=16000, codec="pcm_s16le"))
    drawn = draw(AudioSettings(), path, UNUSED, AnalysisOptions(), Job())
    peaks = np.array(drawn["waveform"]["peaks"])
    middle = len(peaks) // 2
    assert len(peaks) < 2 * COLUMNS
    assert peaks[: middle - 2].max() == 0
    assert set(peaks[middle + 2 : -1]) == {50}
    shown = picture(drawn["spectrogram"]["image"]).astype(float)
    assert shown.shape == (128, len(peaks))
    loudest = shown[:, middle + 2 :].mean(axis=1).argmax()
    high = drawn["spectrogram"]["hertz"]
    assert high * (1 - (loudest + 0.5) / 128) == pytest.approx(2000, abs=80)
    assert shown[:, : middle - 4].mean() < 10

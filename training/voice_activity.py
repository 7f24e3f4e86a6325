"""Remake `models/voice_activity` from the wheel of the `silero-vad` distribution.

    pip download --no-deps -d DIR silero-vad==6.2.3
    python -m training.voice_activity DIR/silero_vad-6.2.3-py3-none-any.whl

The wheel itself depends on PyTorch, so it is opened as an archive and never imported. Of its ONNX files the one that
takes a whole sequence of frames is used: one call per 16 s instead of one per 32 ms, with the same probabilities.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
from sg_common.bundle.spec import VoiceActivitySpec

from training.common.bundle import File, write_bundle

MEMBER = "silero_vad/data/silero_vad_16k_sequence.onnx"
ONNX_FILE = "silero_vad_16k_sequence.onnx"
FRAME, CONTEXT, STATE = 512, 64, 128
GOLDEN_FRAMES = 48
TOLERANCE = 1e-3


def golden_frames() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Frames of a synthetic vowel between two stretches of noise: (GOLDEN_FRAMES, CONTEXT + FRAME)."""
    rng = np.random.default_rng(7)
    time = np.arange(GOLDEN_FRAMES * FRAME) / 16000
    pitch = 2 * np.pi * np.cumsum(110 + 15 * np.sin(2 * np.pi * 3 * time)) / 16000
    formants = [(700, 130), (1200, 170), (2600, 250)]
    voice = sum(
        np.sin(k * pitch) * sum(np.exp(-(((k * 110 - centre) / width) ** 2)) for centre, width in formants)
        for k in range(1, 40)
    )
    envelope = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) * ((time > 0.4) & (time < 1.2))
    signal = 0.1 * voice * envelope + 0.003 * rng.standard_normal(time.size)
    padded = np.concatenate([np.zeros(CONTEXT), signal]).astype(np.float32)
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME])


def make(wheel: Path, folder: Path) -> Path:
    """Write the ONNX file, `golden.npz` and `model.json`; returns the last. The card is kept by hand."""
    version = wheel.name.split("-")[1]
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        (folder / ONNX_FILE).write_bytes(archive.read(MEMBER))
    state = np.zeros((1, 1, STATE), dtype=np.float32)
    return write_bundle(
        folder,
        VoiceActivitySpec,
        {"fp32": File(ONNX_FILE, tolerance=TOLERANCE)},
        {"input": golden_frames(), "h": state, "c": state},
        name="silero-vad",
        version=version,
        license="MIT",
        input={
            "name": "input",
            "layout": "NT",
            "dtype": "float32",
            "sample_rate": 16000,
            "frame_samples": FRAME,
            "context_samples": CONTEXT,
            "state": {"inputs": ["h", "c"], "outputs": ["hn", "cn"], "shape": [1, 1, STATE]},
        },
        output={"name": "speech_probs", "kind": "probability"},
        calibration={
            "threshold": 0.5,
            "negative_threshold": 0.35,
            "min_speech_seconds": 0.25,
            "min_silence_seconds": 0.3,
            "padding_seconds": 0.1,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="remake models/voice_activity from a silero-vad wheel")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("models/voice_activity"))
    arguments = parser.parse_args()
    print(make(arguments.wheel, arguments.folder))


if __name__ == "__main__":
    main()

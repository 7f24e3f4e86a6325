from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from training.audio.whisper import LAYERS, ShallowEncoder, mel_filters, read_weights

SIZE = 16


def write_model(path: Path, version: int = 6) -> None:
    """A file as CTranslate2 writes it, of an encoder with random weights."""
    rng = np.random.default_rng(0)
    shapes = {
        "conv1/weight": (SIZE, 80, 3),
        "conv2/weight": (SIZE, SIZE, 3),
        "position_encodings/encodings": (300, SIZE),
    }
    shapes |= {"conv1/bias": (SIZE,), "conv2/bias": (SIZE,)}
    for n in range(LAYERS):
        sizes = {"self_attention/linear_0": 3 * SIZE, "self_attention/linear_1": SIZE, "ffn/linear_0": 4 * SIZE}
        for part, size in sizes.items():
            shapes |= {f"layer_{n}/{part}/weight": (size, SIZE), f"layer_{n}/{part}/bias": (size,)}
        shapes |= {f"layer_{n}/ffn/linear_1/weight": (SIZE, 4 * SIZE), f"layer_{n}/ffn/linear_1/bias": (SIZE,)}
        for part in ("self_attention", "ffn"):
            shapes |= {f"layer_{n}/{part}/layer_norm/{name}": (SIZE,) for name in ("gamma", "beta")}
    arrays = {f"encoder/{name}": rng.normal(0, 0.2, shape).astype(np.float16) for name, shape in shapes.items()}
    arrays |= {"encoder/num_heads": np.asarray(4, np.int16), "decoder/unused": np.zeros(3, np.float32)}

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    kinds = {"float32": 0, "int16": 2, "float16": 4}
    data = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(arrays))
    for name, array in arrays.items():
        data += text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        data += struct.pack("<BI", kinds[array.dtype.name], array.nbytes) + array.tobytes()
    path.write_bytes(data)


def test_layers_are_read_and_pooled(tmp_path: Path) -> None:
    write_model(tmp_path / "model.bin")
    weights = read_weights(tmp_path / "model.bin")
    assert "unused" not in weights
    encoder = ShallowEncoder(weights)
    waveforms = torch.randn(2, 20000)
    features = encoder(waveforms)
    assert features.shape == (2, LAYERS + 1, 2 * SIZE)
    assert torch.allclose(encoder(waveforms[1:])[0], features[1], atol=1e-4), "clips are independent"
    chosen = encoder.describe(waveforms[0].numpy(), (2, 4))
    assert np.allclose(chosen, features[0, [2, 4]].flatten(), atol=1e-4)


def test_another_version_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "model.bin", version=5)
    with pytest.raises(ValueError, match="version 5"):
        read_weights(tmp_path / "model.bin")


def test_mel_filters_have_unit_area() -> None:
    area = mel_filters().sum(axis=1) * 8000 / 200
    assert mel_filters().shape == (80, 201)
    assert area[20:] == pytest.approx(1, abs=0.2)

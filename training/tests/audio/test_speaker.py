"""The speaker network's early layers against the definitions that they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from training.audio.front import Front
from training.audio.graphs import write_graph
from training.audio.speaker import FilterBank, SpeakerStem
from training.audio.waveforms import SAMPLE_RATE, WINDOW
from training.common.bundle import session

Weights = dict[str, Tensor]


def checkpoint(seed: int) -> Weights:
    """A state of CAM++'s early layers, drawn at random, under 3D-Speaker's names."""
    generator = torch.Generator().manual_seed(seed)
    state: Weights = {}

    def convolution(name: str, *shape: int, bias: bool = False) -> None:
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) / float(np.prod(shape[1:])) ** 0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(shape[0], generator=generator) / 4

    def normalisation(name: str, channels: int) -> None:
        for part in ("weight", "running_var"):
            state[f"{name}.{part}"] = 0.5 + torch.rand(channels, generator=generator)
        for part in ("bias", "running_mean"):
            state[f"{name}.{part}"] = torch.randn(channels, generator=generator) / 4

    for number, inputs in ((1, 1), (2, 32)):
        convolution(f"head.conv{number}", 32, inputs, 3, 3)
        normalisation(f"head.bn{number}", 32)
    for stage in (1, 2):
        for block in (0, 1):
            name = f"head.layer{stage}.{block}"
            for part in (1, 2):
                convolution(f"{name}.conv{part}", 32, 32, 3, 3)
                normalisation(f"{name}.bn{part}", 32)
        convolution(f"head.layer{stage}.0.shortcut.0", 32, 32, 1, 1)
        normalisation(f"head.layer{stage}.0.shortcut.1", 32)
    convolution("xvector.tdnn.linear", 128, 320, 5)
    normalisation("xvector.tdnn.nonlinear.batchnorm", 128)
    for layer in range(12):
        name = f"xvector.block1.tdnnd{layer + 1}"
        normalisation(f"{name}.nonlinear1.batchnorm", 128 + 32 * layer)
        convolution(f"{name}.linear1", 128, 128 + 32 * layer, 1)
        normalisation(f"{name}.nonlinear2.batchnorm", 128)
        convolution(f"{name}.cam_layer.linear_local", 32, 128, 3)
        convolution(f"{name}.cam_layer.linear1", 64, 128, 1, bias=True)
        convolution(f"{name}.cam_layer.linear2", 32, 64, 1, bias=True)
    return state


def as_published(bank: Tensor, state: Weights) -> tuple[Tensor, Tensor]:
    """The second stage and the first dense block, layer by layer as the paper and its code have them."""

    def normalised(x: Tensor, name: str) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])

    y = functional.conv2d(bank[:, None], state["head.conv1.weight"], padding=1)
    y = normalised(y, "head.bn1").relu()
    for name in (f"head.layer{stage}.{block}" for stage in (1, 2) for block in (0, 1)):
        stride = (2, 1) if name.endswith(".0") else (1, 1)
        z = functional.conv2d(y, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        z = functional.conv2d(normalised(z, f"{name}.bn1").relu(), state[f"{name}.conv2.weight"], padding=1)
        if stride[0] == 2:
            y = normalised(
                functional.conv2d(y, state[f"{name}.shortcut.0.weight"], stride=stride), f"{name}.shortcut.1"
            )
        y = (normalised(z, f"{name}.bn2") + y).relu()
    early = y
    y = normalised(functional.conv2d(y, state["head.conv2.weight"], stride=(2, 1), padding=1), "head.bn2").relu()
    y = functional.conv1d(y.flatten(1, 2), state["xvector.tdnn.linear.weight"], stride=2, padding=2)
    y = normalised(y, "xvector.tdnn.nonlinear.batchnorm").relu()
    for name in (f"xvector.block1.tdnnd{layer + 1}" for layer in range(12)):
        z = functional.conv1d(normalised(y, f"{name}.nonlinear1.batchnorm").relu(), state[f"{name}.linear1.weight"])
        z = normalised(z, f"{name}.nonlinear2.batchnorm").relu()
        segments = functional.avg_pool1d(z, 100, 100, ceil_mode=True).repeat_interleave(100, dim=2)[:, :, : z.shape[2]]
        context = z.mean(dim=2, keepdim=True) + segments
        for part in ("linear1", "linear2"):
            weight, bias = (state[f"{name}.cam_layer.{part}.{kind}"] for kind in ("weight", "bias"))
            context = functional.conv1d(context, weight, bias)
            context = context.relu() if part == "linear1" else context.sigmoid()
        local = functional.conv1d(z, state[f"{name}.cam_layer.linear_local.weight"], padding=1)
        y = torch.cat([y, local * context], dim=1)
    return early, y


def test_the_filter_bank_is_kaldis() -> None:
    x = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE // 2).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), 400)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    power = np.abs(np.fft.rfft(frames * np.hanning(400) ** 0.85, 512)) ** 2
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 8000 / 700), 82)
    mel = 1127 * np.log(1 + np.arange(257) * 16000 / 512 / 700)
    energies = [power @ np.interp(mel, edges[i : i + 3], [0, 1, 0]) for i in range(80)]
    expected = np.log(np.stack(energies))
    found = FilterBank()(torch.from_numpy(x)[None])[0].numpy()
    assert found == pytest.approx(expected - expected.mean(axis=1, keepdims=True), abs=2e-3)


def test_the_layers_are_those_of_the_published_network() -> None:
    state = checkpoint(1)
    stem = SpeakerStem(state).eval()
    waveform = 0.1 * torch.randn(2, WINDOW, generator=torch.Generator().manual_seed(2))
    waveform = waveform / waveform.square().mean(dim=1, keepdim=True).sqrt() * 0.1
    with torch.no_grad():
        found = stem(waveform)
        early, dense = as_published(stem.bank(waveform), state)
    expected = []
    for layer in (early, dense):
        expected += [
            layer.mean(dim=-1).flatten(1),
            layer.std(dim=-1, unbiased=False).square().add(1e-6).log().flatten(1) / 2,
        ]
    assert torch.allclose(found, torch.cat(expected, dim=1), atol=2e-3)
    assert found.shape[1] == SpeakerStem.size


def test_the_graph_hears_what_the_network_hears(tmp_path: Path) -> None:
    torch.save(checkpoint(3), tmp_path / "weights.pt")
    front = Front(tmp_path / "weights.pt").eval()
    write_graph(front, tmp_path / "front.onnx", ["features"])
    waveform = np.random.default_rng(4).normal(0, 0.05, (3, WINDOW)).astype(np.float32)
    heard = session(tmp_path / "front.onnx").run(None, {"waveform": waveform})[0]
    with torch.no_grad():
        assert np.abs(heard - front(torch.from_numpy(waveform)).numpy()).max() < 2e-3
    assert heard.shape == (3, front.size)


def test_views_tell_the_two_front_ends_apart() -> None:
    front = Front()
    early = front.columns("early", 4000)
    assert early.tolist() == list(range(front.modulation.size, front.size))
    assert int(front.columns("normal", 8000).max()) < front.modulation.size

from __future__ import annotations

import pytest
import torch

from training.audio.frontend import RESOLUTIONS, VIEWS, ModulationSpectrum, Resolution, Spectrogram


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_matrix_products_equal_the_fft(resolution: Resolution) -> None:
    torch.manual_seed(0)
    waveform = torch.randn(3, 8000)
    spectrogram = Spectrogram(*resolution[:3])
    magnitude, energy = spectrogram(waveform)
    same = spectrogram.as_products(waveform, magnitude.shape[2]).sqrt()
    assert torch.allclose(magnitude, same, atol=1e-3)
    framed = waveform.unfold(1, resolution.n_fft, resolution.hop) * torch.hann_window(resolution.n_fft)
    same_energy = framed.square().sum(dim=2) * resolution.n_fft / (resolution.n_fft + 2)
    assert torch.allclose(energy, same_energy, rtol=1e-4)
    if resolution.highest == 8000:
        assert torch.allclose(energy, magnitude.square().mean(dim=1), rtol=0.1)


def test_views_leave_no_feature_out() -> None:
    front = ModulationSpectrum()
    heard = torch.zeros(front.size)
    for view in VIEWS:
        columns = front.columns(view)
        assert (columns.diff() > 0).all()
        heard[columns] += 1
    assert (heard > 0).all()
    narrow = front.columns("normal", 4000)
    assert len(narrow) == sum(sum(row[:2]) for row in front.sizes[:4])
    assert set(narrow.tolist()) < set(front.columns("normal").tolist())


def test_modulation_spectrum_ignores_level_and_sees_modulation() -> None:
    torch.manual_seed(0)
    front = ModulationSpectrum()
    t = torch.arange(43200) / 16000
    noise = torch.randn(1, 43200)
    steady, swelling = front(noise), front(noise * (1 + 0.9 * torch.sin(2 * torch.pi * 6 * t)))
    assert steady.shape == (1, front.size)
    assert torch.allclose(steady, front(noise * 0.01), atol=0.05)
    assert (swelling - steady).abs().max() > 1


def test_a_mean_reaches_only_the_group_that_is_left_out() -> None:
    front = ModulationSpectrum()
    flat, index, share = torch.full((1, 32, 64), -3.0), torch.arange(4)[None], torch.ones(1, 1)
    power = front._band(flat, index, share, front.get_buffer("frequency_0_0"))
    assert power[0, 0, 0] > 1e4
    power[0, 0, 0] = 0
    assert power.max() < 1e-3

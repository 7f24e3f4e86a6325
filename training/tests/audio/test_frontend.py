from __future__ import annotations

import pytest
import torch

from training.audio.frontend import ModulationSpectrum, Spectrogram


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (1024, 160), (256, 80)])
def test_matrix_products_equal_the_fft(n_fft: int, hop: int) -> None:
    torch.manual_seed(0)
    waveform = torch.randn(3, 8000)
    spectrogram = Spectrogram(n_fft, hop)
    assert torch.allclose(spectrogram(waveform), spectrogram.as_products(waveform), atol=1e-3)


def test_modulation_spectrum_ignores_level_and_sees_modulation() -> None:
    torch.manual_seed(0)
    front = ModulationSpectrum()
    t = torch.arange(43200) / 16000
    noise = torch.randn(1, 43200)
    steady, swelling = front(noise), front(noise * (1 + 0.9 * torch.sin(2 * torch.pi * 6 * t)))
    assert steady.shape == (1, front.size)
    assert torch.allclose(steady, front(noise * 0.01), atol=0.05)
    assert (swelling - steady).abs().max() > 1

"""Pass speech through real lossy codecs, in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from training.audio.waveforms import SAMPLE_RATE, Waveform, resample


@dataclass(frozen=True)
class Codec:
    """One codec setting: FFmpeg's encoder, a container that holds it, its sampling rate and bit rate."""

    name: str
    encoder: str
    container: str
    rate: int
    bit_rate: int | None = None
    sample_format: str = "s16"


def _series(base: Codec, kbits: tuple[float, ...]) -> list[Codec]:
    return [replace(base, name=f"{base.name}-{k:g}k", bit_rate=int(k * 1000)) for k in kbits]


G711 = [Codec("mu-law", "pcm_mulaw", "wav", 8000), Codec("a-law", "pcm_alaw", "wav", 8000)]
TELEPHONE = [
    *_series(Codec("amr-nb", "amr_nb", "amr", 8000, sample_format="s16"), (4.75, 5.9, 7.4, 12.2)),
    *_series(Codec("opus-nb", "libopus", "ogg", 8000, sample_format="s16"), (8, 12)),
    *_series(Codec("g726", "g726", "wav", 8000, sample_format="s16"), (24, 32)),
    Codec("g723.1", "g723_1", "wav", 8000, 6300),
    *G711,
]
WIDEBAND = [
    *_series(Codec("opus", "libopus", "ogg", 16000, sample_format="s16"), (10, 16, 24, 32)),
    *_series(Codec("mp3", "libmp3lame", "mp3", 16000, sample_format="s16p"), (16, 24, 32, 48, 64)),
    *_series(Codec("aac", "aac", "adts", 16000, sample_format="fltp"), (16, 24, 32, 48, 64)),
    *_series(Codec("vorbis", "vorbis", "ogg", 16000, sample_format="fltp"), (32, 48)),
    Codec("g722", "g722", "wav", 16000, 64000),
]
BY_NAME = {codec.name: codec for codec in (*TELEPHONE, *WIDEBAND)}


def transcode(x: Waveform, codec: Codec) -> Waveform:
    """Encode and decode a clip (T,) at 16 kHz; same length and roughly the same timing out.

    Raises av.error.FFmpegError when this build of FFmpeg lacks the encoder.
    """
    peak = float(np.abs(x).max()) or 1.0
    scale = min(1.0, 0.98 / peak)
    low = resample(x * np.float32(scale), SAMPLE_RATE, codec.rate)
    decoded = _decode(_encode(low, codec), codec)
    out = resample(decoded, codec.rate, SAMPLE_RATE) / np.float32(scale)
    return _align(out, x)


def _encode(x: Waveform, codec: Codec) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=codec.container) as container:
        stream: Any = container.add_stream(codec.encoder, rate=codec.rate)
        stream.layout = "mono"
        if codec.bit_rate:
            stream.bit_rate = codec.bit_rate
        if codec.encoder == "vorbis":
            stream.codec_context.options = {"strict": "experimental"}
            stream.layout = "stereo"
        channels = 2 if codec.encoder == "vorbis" else 1
        resampler = av.AudioResampler(
            format=codec.sample_format, layout="stereo" if channels == 2 else "mono", rate=codec.rate
        )
        pcm = (np.clip(x, -1, 1) * 32767).astype(np.int16)
        frame: Any = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = codec.rate, 0, Fraction(1, codec.rate)
        fifo = av.AudioFifo()
        for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
            fifo.write(resampled)
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        while (part := fifo.read(size, partial=True)) is not None:
            if part.samples < size and stream.codec_context.frame_size:
                break  # the last, incomplete frame: some encoders refuse it
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _decode(data: bytes, codec: Codec) -> Waveform:
    parts: list[Waveform] = []
    with av.open(io.BytesIO(data), "r", format=codec.container if codec.container != "adts" else "aac") as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=codec.rate)
        for frame in container.decode(audio=0):
            parts.extend(p.to_ndarray()[0] for p in resampler.resample(frame))
        parts.extend(p.to_ndarray()[0] for p in resampler.resample(None))
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


def _align(decoded: Waveform, original: Waveform) -> Waveform:
    """Take the encoder's delay (up to 0.15 s) off by cross-correlation, and restore the length."""
    n = original.size
    if decoded.size < n:
        decoded = np.pad(decoded, (0, n - decoded.size))
    reach = min(2400, n)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(decoded[: n + reach], size) * np.conj(np.fft.rfft(original, size))
    delay = int(np.argmax(np.fft.irfft(spectrum, size)[:reach]))
    shifted = decoded[delay : delay + n]
    return np.asarray(np.pad(shifted, (0, n - shifted.size)), dtype=np.float32)

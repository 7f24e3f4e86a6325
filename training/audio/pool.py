"""A pool of training clips: each clip clean and in several degraded copies, made once and mapped from disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.audio import augment
from training.audio.config import Prepare
from training.audio.waveforms import SAMPLE_RATE, Waveform, read
from training.common.manifest import Sample

CLIP_SECONDS = 2.72
CLIP = int(CLIP_SECONDS * SAMPLE_RATE)
CHUNK = 64


@dataclass
class Shard:
    """The clips of one manifest: `clips[copy]` is int16 (N, CLIP), `lengths` (copies + 1, N) in samples."""

    samples: list[Sample]
    clips: list[NDArray[np.int16]]
    lengths: NDArray[np.int32]

    def clip(self, i: int, copy: int) -> Waveform:
        """One clip (T,), peak 0.7; copy 0 is the clean one."""
        clip: Waveform = self.clips[copy][i, : self.lengths[copy, i]].astype(np.float32) / np.float32(32768)
        return clip


@dataclass
class Pool:
    """Several shards as one list of samples."""

    shards: list[Shard]
    samples: list[Sample] = field(init=False)

    def __post_init__(self) -> None:
        self.samples = [sample for shard in self.shards for sample in shard.samples]
        self._where = [(shard, i) for shard in self.shards for i in range(len(shard.samples))]

    @property
    def copies(self) -> int:
        """Degraded copies that every shard has."""
        return min(len(shard.clips) for shard in self.shards) - 1

    def clip(self, index: int, copy: int) -> Waveform:
        """One clip (T,), peak 0.7; copy 0 is the clean one."""
        shard, i = self._where[index]
        return shard.clip(i, copy)


def random_for(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on the seed and the names alone, not on the order of work."""
    key = blake2b("\0".join(map(str, (seed, *names))).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(key, "big"))


def build(
    samples: Sequence[Sample],
    folder: Path,
    settings: Prepare,
    seed: int,
    progress: Callable[[str], None] = print,
) -> Shard:
    """Make the shard of `samples` in `folder`, or go on with one that was interrupted.

    Raises ValueError when the folder holds another list of clips.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [s.fields["path"] for s in samples]
    index = folder / "index.json"
    if index.exists():
        if json.loads(index.read_text()) != names:
            raise ValueError(f"{folder} was made from another manifest: remove it first")
    else:
        index.write_text(json.dumps(names))
    for copy, chain in enumerate((None, *settings.chains)):
        if not (folder / f"length_{copy}.npy").exists():
            degrade = level if chain is None else _degrader(samples, copy, chain, seed)
            _build_copy(samples, folder, copy, degrade, progress)
    return load(samples, folder)


def load(samples: Sequence[Sample], folder: Path) -> Shard:
    """Open the finished copies of a shard."""
    clips, lengths = [], []
    copy = 0
    while (folder / f"length_{copy}.npy").exists():
        clips.append(np.load(folder / f"copy_{copy}.npy", mmap_mode="r"))
        lengths.append(np.load(folder / f"length_{copy}.npy"))
        copy += 1
    if not clips:
        raise ValueError(f"{folder} holds no finished copy: run prepare first")
    return Shard(list(samples), clips, np.stack(lengths))


Treatment = Callable[[Waveform, Sample], Waveform]


def level(x: Waveform, sample: Sample) -> Waveform:
    """The clean clip at peak 0.7."""
    del sample
    return x * np.float32(0.7 / (np.abs(x).max() + 1e-9))


def _degrader(samples: Sequence[Sample], copy: int, chain: augment.Chain, seed: int) -> Treatment:
    def companion(rng: np.random.Generator) -> Waveform:
        return read(samples[int(rng.integers(len(samples)))].path, CLIP_SECONDS)

    def degrade(x: Waveform, sample: Sample) -> Waveform:
        return augment.degrade(x, random_for(seed, copy, sample.fields["path"]), chain, companion)

    return degrade


def _build_copy(
    samples: Sequence[Sample], folder: Path, copy: int, treat: Treatment, progress: Callable[[str], None]
) -> None:
    partial_lengths = folder / f"length_{copy}.part.npy"
    path = folder / f"copy_{copy}.npy"
    resumed = partial_lengths.exists() and path.exists()
    lengths = np.load(partial_lengths) if resumed else np.zeros(len(samples), np.int32)
    clips = np.lib.format.open_memmap(path, mode="r+" if resumed else "w+", dtype=np.int16, shape=(len(samples), CLIP))
    for start in range(0, len(samples), CHUNK):
        chunk = range(start, min(start + CHUNK, len(samples)))
        if all(lengths[i] for i in chunk):
            continue
        for i in chunk:
            x = treat(read(samples[i].path, CLIP_SECONDS), samples[i])[:CLIP]
            clips[i, : x.size] = np.round(x * 32767)
            lengths[i] = x.size
        clips.flush()
        np.save(partial_lengths, lengths)
        progress(f"copy {copy}: {chunk.stop} of {len(samples)} clips")
    partial_lengths.rename(folder / f"length_{copy}.npy")

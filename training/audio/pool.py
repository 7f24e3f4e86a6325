"""A pool of training clips: each clip clean and in varied copies, made when it is asked for, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from training.audio import augment
from training.audio.recipe import Prepare
from training.audio.waveforms import SAMPLE_RATE, Waveform, excerpt, levelled, read
from training.common.content import digest, files_key, key_of, samples_key
from training.common.manifest import Sample

CLIP_SECONDS = 2.72
CLIP = int(CLIP_SECONDS * SAMPLE_RATE)
SYNTHETIC = 0.25
"""Share of the music."""


@dataclass(frozen=True)
class Corpus:
    """The clips of one manifest; copy 0 is the clip itself, the others follow `settings.chains`.

    Three quarters of the music that they meet are from the files `music`, if there are any, the others synthetic.
    """

    samples: Sequence[Sample]
    settings: Prepare
    seed: int
    music: Sequence[Path] = ()

    def clip(self, i: int, copy: int) -> Waveform:
        """One clip (T,), peak 0.7; the same for the same seed, copy and path, whatever was made before."""
        sample = self.samples[i]
        x = read(sample.path, CLIP_SECONDS)
        if copy == 0:
            return levelled(x)
        rng = random_for(self.seed, copy, sample.fields["path"])
        return augment.degrade(x, rng, self.settings.chains[copy - 1], self._companion, self._music)[:CLIP]

    def key(self, copy: int) -> str:
        """A name that changes with the seed, the chain and the files: what decides a copy, but for the code."""
        chain = self.settings.chains[copy - 1] if copy else None
        heard = [[digest(path) for path in self.music]] if chain and chain.music else []
        return key_of(self.seed, copy, chain, self._files, *heard)

    @cached_property
    def _files(self) -> str:
        return files_key(self.samples)

    def _companion(self, rng: np.random.Generator) -> Waveform:
        return read(self.samples[int(rng.integers(len(self.samples)))].path, CLIP_SECONDS)

    def _music(self, samples: int, rng: np.random.Generator) -> Waveform:
        if not self.music or rng.random() < SYNTHETIC:
            return augment.music(samples, rng)
        return augment.unit(excerpt(self.music[int(rng.integers(len(self.music)))], samples, rng))


@dataclass
class Pool:
    """Several corpora as one list of samples."""

    corpora: Sequence[Corpus]
    samples: list[Sample] = field(init=False)

    def __post_init__(self) -> None:
        self.samples = [sample for corpus in self.corpora for sample in corpus.samples]
        self._where = [(corpus, i) for corpus in self.corpora for i in range(len(corpus.samples))]

    @property
    def key(self) -> str:
        """A name that changes with the clips, with what their manifests say of them, and with the music."""
        return key_of(samples_key(self.samples), [digest(path) for path in self.corpora[0].music])

    @property
    def copies(self) -> int:
        """Copies beside the clip itself."""
        return len(self.corpora[0].settings.chains)

    def clip(self, index: int, copy: int) -> Waveform:
        """One clip (T,), peak 0.7; copy 0 is the clip itself."""
        corpus, i = self._where[index]
        return corpus.clip(i, copy)


def random_for(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on the seed and the names alone, not on the order of work."""
    key = blake2b("\0".join(map(str, (seed, *names))).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(key, "big"))

"""A pool of training clips: each clip clean and in varied copies, made when it is asked for, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np

from training.audio import augment
from training.audio.recipe import Prepare
from training.audio.waveforms import SAMPLE_RATE, Waveform, levelled, read
from training.common.content import files_key, key_of, samples_key
from training.common.manifest import Sample

CLIP_SECONDS = 2.72
CLIP = int(CLIP_SECONDS * SAMPLE_RATE)


@dataclass(frozen=True)
class Corpus:
    """The clips of one manifest; copy 0 is the clip itself, the others follow `settings.chains`."""

    samples: Sequence[Sample]
    settings: Prepare
    seed: int

    def clip(self, i: int, copy: int) -> Waveform:
        """One clip (T,), peak 0.7; the same for the same seed, copy and path, whatever was made before."""
        sample = self.samples[i]
        x = read(sample.path, CLIP_SECONDS)
        if copy == 0:
            return levelled(x)
        rng = random_for(self.seed, copy, sample.fields["path"])
        return augment.degrade(x, rng, self.settings.chains[copy - 1], self._companion)[:CLIP]

    def key(self, copy: int) -> str:
        """A name that changes with the seed, the chain and the files: what decides a copy, but for the code."""
        chain = self.settings.chains[copy - 1] if copy else None
        return key_of(self.seed, copy, chain, self._files)

    @cached_property
    def _files(self) -> str:
        return files_key(self.samples)

    def _companion(self, rng: np.random.Generator) -> Waveform:
        return read(self.samples[int(rng.integers(len(self.samples)))].path, CLIP_SECONDS)


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
        """A name that changes with the clips and with what their manifests say of them."""
        return samples_key(self.samples)

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

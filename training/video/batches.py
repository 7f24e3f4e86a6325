"""Training batches: genuine crops beside fakes made of the same crops, and real fakes as a minority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass as pydantic_dataclass

from training.common.manifest import sampling_weights
from training.common.recipe import STRICT
from training.video.augment import View, cut, degrade, random_view
from training.video.blending import self_blend
from training.video.corpus import FloatArray, Pixels, is_used
from training.video.prepare import CROP_SCALE, STORED_SCALE, STORED_SIZE, Prepared
from training.video.synthesize import INNER_SCALE, inner, resized

# what a crop is, for the losses of the two experts
GENUINE, BLENDED, RESYNTHESIZED, FAKE = range(4)
Rng = np.random.Generator


@pydantic_dataclass(frozen=True, config=STRICT)
class Mixture:
    """How many crops of each kind a batch holds.

    The first ``blended`` genuine crops come with a self-blended twin, and ``resynthesized`` further
    genuine crops with their reconstruction, each pair seen through the same view and degradation.
    """

    genuine: int = 12
    blended: int = 8
    resynthesized: int = 4
    fake: int = 8

    @property
    def size(self) -> int:
        return self.genuine + self.blended + self.resynthesized + self.fake


@dataclass(frozen=True)
class Batch:
    """``images`` uint8 [N, S, S, 3] and the ``kinds`` [N] of its crops."""

    images: Pixels
    kinds: npt.NDArray[np.int64]


class Reconstructions:
    """What `synthesize` wrote of these crops; empty when there is no such file."""

    def __init__(self, path: Path) -> None:
        self.rows: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.sizes: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.pictures: Pixels = np.zeros((0, 1, 1, 3), np.uint8)
        if path.is_file():
            with np.load(path) as stored:
                self.rows, self.sizes, self.pictures = stored["rows"], stored["sizes"], stored["pictures"]

    def picture(self, i: int) -> Pixels:
        size = int(self.sizes[i])
        return self.pictures[i, :size, :size]


def self_blended(stored: Pixels, points: FloatArray, rng: Rng, reconstruction: Pixels | None) -> Pixels:
    """A self-blended twin of a stored crop, with its reconstruction as the copy where there is one."""
    copy = None
    if reconstruction is not None:
        copy = stored.copy()
        side = inner(stored).shape[0]
        margin = (STORED_SIZE - side) // 2
        copy[margin:-margin, margin:-margin] = resized(reconstruction, side)
    return self_blend(stored, points, 1 / STORED_SCALE, rng, copy)


class Batches:
    """Draws batches of the samples ``rows`` of a prepared corpus, the same for the same seed and step."""

    def __init__(
        self,
        prepared: Prepared,
        rows: Sequence[int],
        reconstructions: Reconstructions,
        mixture: Mixture,
        *,
        size: int,
        seed: int,
    ) -> None:
        self._prepared, self._mixture, self._size, self._seed = prepared, mixture, size, seed
        samples = prepared.samples
        self._genuine = np.array([i for i in rows if samples[i].label == 0 and is_used(samples[i])])
        self._fake = np.array([i for i in rows if samples[i].label == 1 and is_used(samples[i])])
        if not len(self._genuine):
            raise ValueError("no genuine samples to train on")
        self._genuine_weights = self._weights(self._genuine)
        self._fake_weights = self._weights(self._fake)
        allowed = set(self._genuine.tolist())
        self._reconstructions = reconstructions
        self._reconstructed = [k for k, row in enumerate(reconstructions.rows.tolist()) if row in allowed]
        self._by_row = {int(reconstructions.rows[k]): k for k in self._reconstructed}

    def _weights(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.array(sampling_weights([self._prepared.samples[i] for i in rows])) if len(rows) else np.zeros(0)

    def draw(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng((self._seed, step))
        mixture = self._mixture
        images: list[Pixels] = []
        kinds: list[int] = []
        rows = rng.choice(self._genuine, mixture.genuine, p=self._genuine_weights / self._genuine_weights.sum())
        for k, row in enumerate(rows.tolist()):
            stored = np.asarray(self._prepared.stored[row])
            seed, view = int(rng.integers(1 << 62)), random_view(rng, CROP_SCALE)
            twin = self._self_blend(row, stored, rng) if k < mixture.blended else None
            for picture, kind in ((stored, GENUINE), (twin, BLENDED)):
                if picture is not None:
                    images.append(self._finish(picture, view, STORED_SCALE, seed))
                    kinds.append(kind)
        if self._reconstructed:
            for k in rng.choice(self._reconstructed, mixture.resynthesized).tolist():
                size = int(self._reconstructions.sizes[k])
                genuine = resized(inner(self._prepared.stored[int(self._reconstructions.rows[k])]), size)
                seed, view = int(rng.integers(1 << 62)), random_view(rng, CROP_SCALE)
                for picture, kind in ((genuine, GENUINE), (self._reconstructions.picture(k), RESYNTHESIZED)):
                    images.append(self._finish(picture, view, INNER_SCALE, seed))
                    kinds.append(kind)
        if len(self._fake):
            for row in rng.choice(self._fake, mixture.fake, p=self._fake_weights / self._fake_weights.sum()).tolist():
                view = random_view(rng, CROP_SCALE)
                images.append(
                    self._finish(np.asarray(self._prepared.stored[row]), view, STORED_SCALE, int(rng.integers(1 << 62)))
                )
                kinds.append(FAKE)
        return Batch(np.stack(images), np.array(kinds, np.int64))

    def _self_blend(self, row: int, stored: Pixels, rng: Rng) -> Pixels:
        k = self._by_row.get(row)
        copy = None if k is None or rng.random() >= 0.5 else self._reconstructions.picture(k)
        return self_blended(stored, self._prepared.points[row], rng, copy)

    def _finish(self, picture: Pixels, view: View, scale: float, seed: int) -> Pixels:
        return degrade(cut(picture, view, scale, self._size), np.random.default_rng(seed))

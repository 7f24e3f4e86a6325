"""Held-out scores of a bundle: every crop is judged by the members that never saw its fold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from video_analyzer.calibration import Aggregation

from training.common.manifest import Sample
from training.video.corpus import Pixels, is_used
from training.video.export import held_out_rows, run, unseen_mean
from training.video.fusion import Fusion
from training.video.prepare import Prepared

Array = npt.NDArray[np.float64]
MEAN = Aggregation(kind="mean")


@dataclass(frozen=True)
class Scores:
    """Samples with their held-out logits [N], and the experts' mean held-out logits [N, experts].

    ``aggregation`` is how a clip's frames become its logit.
    """

    samples: tuple[Sample, ...]
    logits: Array
    experts: Array
    face_pixels: Array
    aggregation: Aggregation = MEAN

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        return np.array([s.label for s in self.samples], np.int64)

    @property
    def sources(self) -> list[str]:
        return [s.source for s in self.samples]

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        return np.array([s.fold for s in self.samples], np.int64)

    def where(self, keep: Callable[[Sample], bool]) -> Scores:
        """The scores of some samples."""
        return self.at(np.array([i for i, s in enumerate(self.samples) if keep(s)], np.int64))

    def at(self, rows: npt.NDArray[np.int64]) -> Scores:
        """The scores of the given rows."""
        return replace(
            self,
            samples=tuple(self.samples[i] for i in rows.tolist()),
            logits=self.logits[rows],
            experts=self.experts[rows],
            face_pixels=self.face_pixels[rows],
        )


def read_document(bundle: Path) -> dict[str, Any]:
    """The bundle's model.json."""
    document: dict[str, Any] = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    return document


def held_out_scores(prepared: Prepared, bundle: Path, variant: str = "fp32", views: Pixels | None = None) -> Scores:
    """Judge the samples of every fold that at least one member holds out; ``views`` replace the prepared ones."""
    document = read_document(bundle)
    held_out: list[list[int]] = document["calibration"]["held_out_folds"]
    fusion = Fusion(**{k: tuple(v) for k, v in document["calibration"]["fusion"].items()})
    rows = held_out_rows(prepared, held_out)
    source = prepared.views if views is None else views
    _, experts = run(bundle / document["variants"][variant]["file"], source[rows])
    samples = tuple(prepared.samples[i] for i in rows.tolist())
    return Scores(
        samples,
        unseen_mean(samples, fusion.joint(experts), held_out),
        unseen_mean(samples, experts, held_out),
        prepared.face_pixels[rows].astype(np.float64),
        Aggregation.model_validate(document["calibration"]["aggregation"]),
    )


def is_video(sample: Sample) -> bool:
    """Whether a sample is a frame of a video; else it is a photograph, or a generated picture."""
    return sample.fields.get("kind") == "video-frame"


def genuine_clips(scores: Scores) -> Scores:
    """The genuine clips of real people that false alarms count: of a corpus without videos, its photographs."""
    genuine = scores.where(lambda s: s.label == 0)
    videos = genuine.where(is_video)
    return videos if videos.samples else genuine


def tracks(scores: Scores) -> Scores:
    """Frames of one clip (same group, source and label) become one score; photos stay as they are."""
    members: dict[tuple[object, ...], list[int]] = {}
    for i, s in enumerate(scores.samples):
        clip = is_video(s) and s.group
        key: tuple[object, ...] = (s.label, s.source, s.group, s.fields.get("identity", "")) if clip else (i,)
        members.setdefault(key, []).append(i)
    groups = list(members.values())
    first = scores.at(np.array([g[0] for g in groups], np.int64))
    return replace(
        first,
        logits=np.array([scores.aggregation(scores.logits[g]) for g in groups]),
        experts=np.array([scores.experts[g].mean(0) for g in groups]).reshape(len(groups), -1),
        face_pixels=np.array([scores.face_pixels[g].mean() for g in groups]),
    )


def headline(scores: Scores) -> Scores:
    """What the headline figures count: restored photos are left out."""
    return scores.where(is_used)


def source_weights(samples: Sequence[Sample]) -> Array:
    """Weights with which every source of a label counts by the root of its size, and both labels the same; mean 1."""
    sizes: dict[tuple[int, str], int] = {}
    for s in samples:
        sizes[s.label, s.source] = sizes.get((s.label, s.source), 0) + 1
    weights = np.array([sizes[s.label, s.source] ** -0.5 for s in samples])
    labels = np.array([s.label for s in samples])
    for label in (0, 1):
        if (labels == label).any():
            weights[labels == label] *= 0.5 * len(weights) / weights[labels == label].sum()
    return weights

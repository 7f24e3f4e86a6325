"""The tables of the card, on scores that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sg_common.bundle.calibration import FaceCalibration, FaceSize, PlattScaling
from sg_common.bundle.spec import FaceSpec, read_task
from sg_common.verdict import Thresholds

from testbed.face_model import write_green_bundle
from training.common.cards import write_figures
from training.common.manifest import Sample
from training.common.rates import by_source
from training.video.calibrate import calibrate
from training.video.evaluate import PAIRED, at_shipped, figures, pairs_text, shortcut_table
from training.video.operating import ClipScores, OperatingPoint, called
from training.video.recompress import AS_FOUND, SHRUNK


def clips(shift: float = 0.0, unjudged: int = 0) -> ClipScores:
    """Twenty genuine clips a fold at logits around -1 and twenty fakes around 1; the last ones were not judged."""
    rng = np.random.default_rng(1)
    samples = tuple(
        Sample(
            Path(f"{label}-{i}"), label, i % 5, "swap" if label else "real", f"{label}-{i // 4}", fields={"camera": c}
        )
        for label in (0, 1)
        for i, c in zip(range(100), ["phone", "film"] * 50, strict=True)
    )
    logits = rng.normal(0, 0.7, 200) + 2 * np.repeat([0, 1], 100) - 1 + shift
    kept = 200 - unjudged
    return ClipScores(samples[:kept], logits[:kept], np.linspace(70, 200, 200)[:kept], samples)


def test_every_table_is_there_with_its_rates() -> None:
    conditions = {AS_FOUND: clips(), SHRUNK: clips(-0.5, unjudged=50)}
    shipped = FaceCalibration(
        temperature=1.0, bias=0.0, thresholds=Thresholds(likely_authentic=0.0002, likely_deepfake=0.9999)
    )
    text = figures(conditions, shipped, {})
    assert "100 genuine clips of 25 sources and 100 fakes of 25 methods" in text
    nested, _, flattered = text.split("### ")[1:4]
    assert f"| {AS_FOUND} | 100.0% / 100.0% |" in nested
    assert "| three quarters of the size | 100.0% / 50.0% |" in nested
    assert f"| {AS_FOUND} | 0.0% | 0.0% | 0.0% | 0.0% | 0.0% |" in flattered
    assert "| film | 50 | 25 |" in text
    assert "| swap | 100 | 25 |" in text


def test_shortcuts_and_pairs_stand_beside() -> None:
    scores = clips()
    samples = [replace(s, fields={"fps": str(25 + s.label)}) for s in scores.samples]
    moved = {s.path: float(-s.label) for s in samples[:150]}
    text = shortcut_table(replace(scores, samples=tuple(samples)), {"movement": moved})
    assert "| frames per second | 1.000 | nan |" in text
    assert "| movement | 1.000 | nan |" in text
    assert "bit rate" not in text
    assert pairs_text(scores) == ""
    for i in (0, 100):
        samples[i] = replace(samples[i], source=PAIRED[i // 100], fields={"source_path": "a.mp4"})
    text = pairs_text(replace(scores, samples=tuple(samples)))
    assert text.endswith("scores higher in 1.")


def test_sources_count_alike_whatever_their_size() -> None:
    samples = clips().samples[:8]
    samples = tuple(replace(s, source="small" if i == 0 else "large") for i, s in enumerate(samples))
    share = by_source(np.array([True, *[False] * 7]), samples)
    assert share.value == pytest.approx(0.5)


def test_a_bundle_is_calibrated_at_every_policy(tmp_path: Path) -> None:
    smaller = clips(-0.5)
    smaller = replace(smaller, face_pixels=smaller.face_pixels * 0.75)
    bundle, conditions = write_green_bundle(tmp_path), {AS_FOUND: clips(), SHRUNK: smaller}
    calibrate(bundle, conditions)
    calibration = read_task(bundle, FaceSpec).calibration
    assert calibration.aggregation.kind == "mean"
    assert calibration.face_size is not None
    assert calibration.face_size.slope == pytest.approx(-0.5 / np.log(0.75), abs=1e-3)
    points = list(calibration.operating_points.values())
    assert [p.likely_deepfake for p in points] == sorted((p.likely_deepfake for p in points), reverse=True)
    assert [p.detection_rate for p in points] == sorted(p.detection_rate for p in points)
    assert "| high_recall |" in figures(conditions, calibration, {})


def test_thresholds_as_probabilities_call_no_more_than_the_logits_they_stand_for() -> None:
    size = FaceSize(slope=0.5, smallest=80, largest=150)
    point = OperatingPoint(size, PlattScaling(temperature=2.0, bias=0.5), -1.0, 3.0)
    low, high = point.probabilities()
    calibration = FaceCalibration(
        temperature=2.0,
        bias=0.5,
        thresholds=Thresholds(likely_authentic=low, likely_deepfake=high),
        face_size=size,
    )
    scores = replace(clips(), logits=np.linspace(-4, 6, 200))
    chosen, shipped = called(scores, [point] * 200), at_shipped(scores, calibration)
    assert not (shipped.fake & ~chosen.fake).any()
    assert not (shipped.authentic & ~chosen.authentic).any()
    assert shipped.fake.sum() >= chosen.fake.sum() - 1


def test_figures_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Card\n<!-- figures:start -->old<!-- figures:end -->\nend\n")
    write_figures(card, "new")
    assert card.read_text() == "# Card\n<!-- figures:start -->\n\nnew\n\n<!-- figures:end -->\nend\n"

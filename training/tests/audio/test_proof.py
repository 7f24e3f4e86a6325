"""What the card says of calls, on recordings whose logits are drawn here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.sound import BANDS
from numpy.typing import NDArray
from sg_common.bundle.calibration import VoiceCalibration
from sg_common.verdict import Verdict

from training.audio import recipe
from training.audio.calls import CASES, LENGTHS, Material
from training.audio.conditions import CLEAN, TELEPHONE
from training.audio.proof import Told, operating_points, probabilities, report, tell, whole_clips
from training.audio.recordings import Recording, Voice, drawn, spaced, with_windows
from training.audio.voices import calibrated
from training.common.manifest import Sample
from training.common.rates import POLICIES
from training.common.scores import Scores

COMMON = VoiceCalibration.model_validate(
    {"temperature": 0.6, "bias": -0.3, "thresholds": {"likely_authentic": 0.2, "likely_deepfake": 0.7}}
)
SETTINGS = recipe.load().calibrate
FOLDS = range(5)
GENUINE_SHORT = np.random.default_rng(1).normal(-0.7, 1.0, 5000)


def alike(logits: NDArray[np.float64], rng: np.random.Generator) -> Voice:
    """Windows that sound alike, each band by itself."""
    return spaced(logits, rng.normal(0, 2, (len(logits), BANDS)).astype(np.float32))


def material(seed: int) -> Material:
    rng = np.random.default_rng(seed)

    def recordings(count: int, level: float, windows: int, name: str) -> list[Recording]:
        logits = [rng.normal(rng.normal(level, 0.5), 0.4, windows) for _ in range(count)]
        return [Recording(f"{name} {i}", i % 5, (alike(values, rng),)) for i, values in enumerate(logits)]

    labels = np.arange(1200) % 2
    samples = tuple(Sample(Path(str(i)), int(v), i // 2 % 5, "f", f"source {i % 60}") for i, v in enumerate(labels))
    genuine, made = recordings(60, -0.7, 20, "genuine"), recordings(40, 1.5, 7, "made")
    longer = {m: [drawn(r, m / 10, stride, rng) for r in genuine] for m, stride in LENGTHS.items()}

    def call(how: str) -> list[Recording]:
        hosts = [with_windows(genuine[i], made[i].voices[0], made[i].source, 1, rng) for i in range(10)]
        if how != "other channel":
            return hosts
        return [
            Recording(m.source, m.fold, (*h.voices, *m.voices), (1, 0.0, float(m.voices[0].times[-1, 1])))
            for h, m in zip(genuine, made[:10], strict=False)
        ]

    return Material(
        clips=Scores(samples, rng.normal(2.2 * labels - 0.7, 1.0)),
        speech=rng.uniform(0.8, 2.7, labels.size),
        whole=np.arange(labels.size) < 900,
        genuine={0: genuine, **longer},
        calls={(seconds, how): call(how) for seconds, how in CASES},
    )


@pytest.fixture(scope="module")
def materials() -> dict[str, Material]:
    return {CLEAN: material(1), TELEPHONE: material(2)}


@pytest.fixture(scope="module")
def calibration(materials: dict[str, Material]) -> VoiceCalibration:
    return calibrated(materials, COMMON, SETTINGS, lambda _: True)


def test_less_speech_less_certainty(calibration: VoiceCalibration) -> None:
    assert [entry.seconds for entry in calibration.speech] == [1.0, 1.5, 2.0]
    assert calibration.for_speech(2.5).probability(1.0) == COMMON.probability(1.0)
    low, high = (calibration.thresholds.likely_authentic, calibration.thresholds.likely_deepfake)
    for entry in calibration.speech:
        doubted = [x for x in np.arange(-3, 3, 0.1) if COMMON.probability(x) >= low]
        assert (entry.probability(doubted) >= low).all()
    short = calibration.speech[0]
    assert (short.probability(GENUINE_SHORT) >= high).mean() <= SETTINGS.false_alarm_rate + 0.02


def test_policies_keep_their_rates_and_are_ordered(
    materials: dict[str, Material], calibration: VoiceCalibration
) -> None:
    nested = dict.fromkeys(FOLDS, calibration)
    points = operating_points(materials, calibration, nested, POLICIES)
    highs = [points[policy].likely_deepfake for policy in POLICIES]
    assert highs == sorted(highs, reverse=True)
    assert points["low_false_alarm"].likely_deepfake == COMMON.thresholds.likely_deepfake
    for policy in ("balanced", "high_recall"):
        for part in materials.values():
            clips = whole_clips(part, probabilities(part, nested))
            assert (clips.genuine >= points[policy].likely_deepfake).mean() <= POLICIES[policy]
        assert points[policy].false_alarm_rate == pytest.approx(POLICIES[policy], abs=0.06)
    VoiceCalibration.model_validate(
        {**calibration.model_dump(mode="json"), "operating_points": {p: q.model_dump() for p, q in points.items()}}
    )


def test_a_stretch_in_its_place_is_told_from_one_elsewhere(calibration: VoiceCalibration) -> None:
    logits = np.full(40, -0.7)
    logits[10:16] = 3.0
    voice = alike(logits, np.random.default_rng(1))
    told = tell(Recording("call", 0, (voice,)), calibration, calibration.thresholds)
    assert (told.verdict, told.before) == (Verdict.LIKELY_DEEPFAKE, Verdict.UNCERTAIN)
    start, end = float(voice.times[10, 0]), float(voice.times[15, 1])
    assert told.placed((0, start + 1.5, end - 1.5))
    assert not told.placed((0, start + 3, end))
    assert not told.placed((1, start, end))
    genuine = alike(np.full(40, -2.0), np.random.default_rng(2))
    quiet = tell(Recording("call", 0, (genuine,)), calibration, calibration.thresholds)
    assert quiet == Told(Verdict.LIKELY_AUTHENTIC, (), Verdict.LIKELY_AUTHENTIC)


def test_the_card_has_a_row_for_every_length(materials: dict[str, Material], calibration: VoiceCalibration) -> None:
    nested = dict.fromkeys(FOLDS, calibration)
    text = report(materials, nested, operating_points(materials, calibration, nested, POLICIES), 1)
    assert "nan" not in text
    for words in ("as found", "60 min, drawn", "in turns", "overlapping", "other channel", "high_recall"):
        assert words in text
    _, deviation, independent = text.splitlines()[-1].strip("| ").rsplit(" | ", 2)
    assert float(deviation.removesuffix(" dB")) == pytest.approx(2, abs=0.15)
    assert float(independent) == pytest.approx(BANDS, abs=3)

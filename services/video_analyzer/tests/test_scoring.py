"""From scores to frames, tracks and a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from sg_common.analysis import Status
from sg_common.bundle.calibration import FaceCalibration
from sg_common.verdict import DEFAULT_POLICY, Policy, Verdict
from video_analyzer import words
from video_analyzer.detector import Face
from video_analyzer.report import TimelinePoint
from video_analyzer.scoring import ClipEvidence, JudgedFace, Timeline, needed_support
from video_analyzer.tracks import Track

CALIBRATION = FaceCalibration.model_validate(
    {
        "temperature": 1.0,
        "bias": 0.0,
        "thresholds": {"likely_authentic": 0.3, "likely_deepfake": 0.8},
        "aggregation": {"kind": "mean"},
    }
)
FPS = 4
BOX = (10, 20, 30, 40)
PIXELS = 40.0
FAKE, REAL = 3.0, -3.0


def track(number: int = 1) -> Track:
    return Track(number, 0.0, 1.0, Face(0, 0, 100, 100, 1), np.zeros(512, np.float32))


LOOKS = tuple(np.random.default_rng(1).uniform(0, 255, (7, 64, 64)).astype(np.float32))


def showing(look: npt.NDArray[np.float32]) -> Callable[[Face], npt.NDArray[np.float32]]:
    """A frame that looks alike wherever it is cut."""
    return lambda _: look


def evidence(
    frames: list[list[tuple[Track, float]]],
    looks: tuple[npt.NDArray[np.float32], ...] = LOOKS,
    calibration: FaceCalibration = CALIBRATION,
    policy: Policy = DEFAULT_POLICY,
) -> ClipEvidence:
    clip = ClipEvidence(calibration, policy)
    for number, faces in enumerate(frames):
        for place, (owner, _) in enumerate(faces):
            owner.motion.see(number / FPS, owner.box, showing(looks[(number + place) % len(looks)]))
        clip.add_frame(number, number / FPS, [JudgedFace(owner, logit, BOX, PIXELS) for owner, logit in faces])
    return clip


def test_the_most_suspicious_supported_track_decides() -> None:
    anna, boris = track(1), track(2)
    clip = evidence([[(anna, REAL), (boris, FAKE)]] * 4)
    conclusion = clip.conclude([anna, boris])
    assert conclusion.probability == pytest.approx(1 / (1 + np.exp(-FAKE)), abs=1e-4)
    assert (conclusion.verdict, conclusion.status, conclusion.reason) == (
        Verdict.LIKELY_DEEPFAKE,
        Status.SUCCESS,
        None,
    )
    faces = clip.faces([boris, anna])
    assert [face.track for face in faces] == [1, 2]
    assert faces[0].manipulation_probability < 0.3 < 0.8 < faces[1].manipulation_probability


def test_a_passing_false_face_does_not_accuse_a_clip() -> None:
    anna, ghost = track(1), track(2)
    clip = evidence([[(anna, REAL)]] * 20 + [[(anna, REAL), (ghost, FAKE)]] * 2)
    assert clip.conclude([anna, ghost]).verdict is Verdict.LIKELY_AUTHENTIC
    assert (clip.faces([ghost])[0].manipulation_probability, clip.faces([ghost])[0].verdict) == (0.5, "inconclusive")
    assert clip.suspicious_frames()[0].frame_number == 20


def test_nothing_judged_is_unknown_not_authentic() -> None:
    conclusion = evidence([]).conclude([])
    assert (conclusion.probability, conclusion.verdict, conclusion.status) == (
        0.5,
        Verdict.INCONCLUSIVE,
        Status.INCONCLUSIVE,
    )
    assert conclusion.reason == words.NO_FIT_FACE(needed=3, advice=words.MORE())


@pytest.mark.parametrize("logit", [FAKE, REAL])
def test_one_frame_neither_accuses_nor_acquits(logit: float) -> None:
    anna = track()
    conclusion = evidence([[(anna, logit)]]).conclude([anna])
    assert (conclusion.probability, conclusion.status) == (0.5, Status.INCONCLUSIVE)
    assert conclusion.reason == words.ONE_FRAME(needed=3, advice=words.MORE())


@pytest.mark.parametrize("logit", [FAKE, REAL])
def test_two_frames_score_but_stay_uncertain(logit: float) -> None:
    anna = track()
    conclusion = evidence([[(anna, logit)]] * 2).conclude([anna])
    assert (conclusion.verdict, conclusion.status) == (Verdict.UNCERTAIN, Status.SUCCESS)
    assert (conclusion.probability > 0.8) == (logit == FAKE)
    assert conclusion.reason == words.TWO_FRAMES(needed=3, advice=words.MORE())


def test_what_a_face_scores_for_its_size_is_taken_out_of_frames_tracks_and_clip() -> None:
    sizes = {"face_size": {"slope": 2.0, "smallest": 50, "largest": 200}}
    anna, clip = track(), ClipEvidence(FaceCalibration.model_validate({**CALIBRATION.model_dump(), **sizes}))
    for number in range(4):
        anna.motion.see(number / FPS, anna.box, showing(LOOKS[number]))
        clip.add_frame(number, number / FPS, [JudgedFace(anna, 1.0, BOX, 400.0 if number else 100.0)])
    larger = 1 - 2 * np.log(2)
    scores = [1 / (1 + np.exp(-logit)) for logit in (1.0, larger)]
    assert [p.inconsistency_score for p in clip.timeline.points()[:2]] == pytest.approx(scores, abs=1e-4)
    assert list(anna.logits) == pytest.approx([1.0, *[larger] * 3])
    assert clip.conclude([anna]).logit == pytest.approx((1 + 3 * larger) / 4)
    assert clip.face_pixels == 325


def test_a_policy_has_thresholds_of_its_own() -> None:
    thresholds = CALIBRATION.thresholds.model_dump()
    worth = {"false_alarm_rate": 0.1, "false_alarm_interval": (0.0, 0.2), "detection_rate": 0.5}
    bold = {"likely_authentic": 0.05, "likely_deepfake": 0.4}
    points = {"low_false_alarm": {**thresholds, **worth}, "high_recall": {**bold, **worth}}
    calibration = FaceCalibration.model_validate({**CALIBRATION.model_dump(), "operating_points": points})
    bolder: Policy = "high_recall"
    for policy, verdict, suspicious in (
        (DEFAULT_POLICY, Verdict.UNCERTAIN, [2]),
        (bolder, Verdict.LIKELY_DEEPFAKE, [2, 1]),
    ):
        anna = track()
        clip = evidence([[(anna, logit)] for logit in (REAL, -1.0, 4.0)], calibration=calibration, policy=policy)
        assert clip.conclude([anna]).verdict is verdict
        assert [frame.frame_number for frame in clip.suspicious_frames()] == suspicious


def test_two_faces_in_one_frame_are_one_frame() -> None:
    anna, boris = track(1), track(2)
    assert evidence([[(anna, FAKE), (boris, FAKE)]]).conclude([anna, boris]).status is Status.INCONCLUSIVE


def test_short_shots_of_many_people_count_together() -> None:
    people = [track(number) for number in range(1, 5)]
    clip = evidence([[(person, FAKE)] for person in people])
    assert clip.conclude(people).verdict is Verdict.LIKELY_DEEPFAKE
    # Also when their tracks were dropped for there being too many.
    for person in people:
        clip.stray_logits.extend(person.logits)
        clip.stray_different += person.motion.different
    assert clip.conclude([]).verdict is Verdict.LIKELY_DEEPFAKE


def test_needed_support_grows_with_the_clip_up_to_a_face_of_one_second() -> None:
    assert [needed_support(n) for n in (0, 1, 32, 48, 49, 64, 128, 10_000)] == [3, 3, 3, 3, 4, 4, 8, 8]


def test_a_frame_is_its_worst_face_and_frames_without_one_are_left_out() -> None:
    anna, boris = track(1), track(2)
    clip = evidence([[(anna, REAL), (boris, 0.0)], [], [(anna, REAL)]])
    points = clip.timeline.points()
    assert [point.frame_number for point in points] == [0, 2]
    assert points[0].inconsistency_score == 0.5
    assert clip.judged_frames == 2


def test_suspicious_frames_are_the_ten_worst_worst_first() -> None:
    anna = track()
    logits = [REAL, *np.linspace(0, 2, 14), 2.0, REAL]
    frames = evidence([[(anna, float(logit))] for logit in logits]).suspicious_frames()
    assert [frame.frame_number for frame in frames] == [14, 15, 13, 12, 11, 10, 9, 8, 7, 6]
    assert frames[0].box == BOX
    assert frames[0].time == pytest.approx(14 / FPS, abs=1e-4)


def test_genuine_frames_are_not_listed_as_suspicious() -> None:
    anna = track()
    assert evidence([[(anna, REAL)]] * 5).suspicious_frames() == []


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 17, 1000])
def test_the_timeline_is_bounded_ordered_and_keeps_the_worst(count: int) -> None:
    timeline = Timeline(limit=8)
    scores = np.round(np.random.default_rng(count).permutation(count) / count, 4)
    for number, score in enumerate(scores):
        timeline.add(TimelinePoint(time=number / 30, frame_number=number, inconsistency_score=float(score)))
    points = timeline.points()
    assert min(count, 4) <= len(points) <= 8
    numbers = [point.frame_number for point in points]
    assert numbers == sorted(set(numbers))
    assert all(point.inconsistency_score == scores[point.frame_number] for point in points)
    assert int(np.argmax(scores)) in numbers


@pytest.mark.parametrize("logit", [FAKE, REAL])
def test_one_picture_neither_accuses_nor_acquits(logit: float) -> None:
    """However often it is shown; two by turns are two."""
    for looks in (LOOKS[:1], (LOOKS[0],) * 20 + LOOKS[1:2]):
        anna = track()
        conclusion = evidence([[(anna, logit)]] * 32, looks).conclude([anna])
        assert (conclusion.verdict, conclusion.status) == (Verdict.UNCERTAIN, Status.SUCCESS)
        assert conclusion.reason == words.SAME_PICTURE(needed=3, advice=words.MORE())


def test_a_face_that_only_the_camera_moves_is_uncertain_unless_another_lives() -> None:
    anna, poster = track(1), track(2)
    clip = evidence([[(anna, REAL)]] * 8)
    for number in range(8):
        look = np.asarray(LOOKS[0] * (1 + 0.1 * number), np.float32)
        poster.motion.see(number / FPS, replace(poster.box, x=5.0 * number), showing(look))
        clip.add_frame(8 + number, 2 + number / FPS, [JudgedFace(poster, FAKE, BOX, PIXELS)])
    assert poster.motion.still
    assert poster.motion.different == 8
    assert clip.conclude([poster]).verdict is Verdict.UNCERTAIN
    assert clip.conclude([poster]).reason == words.NOTHING_MOVES(advice=words.ALIVE())
    assert clip.conclude([anna, poster]).verdict is Verdict.LIKELY_AUTHENTIC
    faces = clip.faces([anna, poster])
    assert [face.verdict for face in faces] == [Verdict.LIKELY_AUTHENTIC, Verdict.UNCERTAIN]
    assert [face.frames for face in faces] == [8, 8]

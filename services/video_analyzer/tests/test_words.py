"""What a video answer says to a person: true of its evidence, whole, and in every language."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sg_common.analysis import ModelInfo, Status
from sg_common.verdict import DEFAULT_POLICY, Rates, Thresholds, Verdict
from sg_common.words.phrases import Finding
from video_analyzer import words
from video_analyzer.quality import Flaw, describe
from video_analyzer.report import FaceTrack, SuspiciousFrame, TimelinePoint, VideoReport

from testbed.words import check_words, codes_of, said

AUTHENTIC, UNCERTAIN, DEEPFAKE, INCONCLUSIVE = (
    Verdict.LIKELY_AUTHENTIC,
    Verdict.UNCERTAIN,
    Verdict.LIKELY_DEEPFAKE,
    Verdict.INCONCLUSIVE,
)
SCORES = {AUTHENTIC: 0.1, UNCERTAIN: 0.5, DEEPFAKE: 0.9, INCONCLUSIVE: 0.5}
RATES = Rates(false_alarm_rate=0.0346, false_alarm_interval=(0.0111, 0.0694), detection_rate=0.18)
MORE, LOWER = words.MORE(), words.LOWER_RATE(rate=30)


def face(verdict: Verdict, track: int = 1, first: float = 12.4, last: float = 31.9) -> FaceTrack:
    return FaceTrack(
        track=track,
        first_seen=first,
        last_seen=last,
        frames=1 if verdict is INCONCLUSIVE else 9,
        seconds=5.0,
        manipulation_probability=SCORES[verdict],
        verdict=verdict,
    )


def report(verdict: Verdict, faces: list[FaceTrack], *limits: Finding, **more: Any) -> VideoReport:
    score = SCORES[verdict]
    shown = [SuspiciousFrame(frame_number=420, time=14.0, inconsistency_score=score, box=(1, 2, 3, 4))]
    timeline = [TimelinePoint(time=t, frame_number=int(30 * t), inconsistency_score=score) for t in (12.4, 14.0, 31.9)]
    return VideoReport(
        verdict=verdict,
        status=Status.INCONCLUSIVE if verdict is INCONCLUSIVE else Status.SUCCESS,
        policy=DEFAULT_POLICY,
        thresholds=Thresholds(likely_authentic=0.2, likely_deepfake=0.8),
        policy_rates=RATES,
        sha256="0" * 64,
        model=ModelInfo(name="m", version="1", variant="fp32"),
        processing_seconds=0.1,
        total_frames=900,
        analyzed_frames=30,
        video_duration=40.0,
        fps=30.0,
        resolution="640x360",
        faces=faces,
        timeline=[] if verdict is INCONCLUSIVE else timeline,
        suspicious_frames=shown if verdict in (UNCERTAIN, DEEPFAKE) else [],
        limits=limits,
        **{"manipulation_probability": score, **more},
    )


CASES: dict[str, tuple[VideoReport, list[str]]] = {
    "one fake face": (report(DEEPFAKE, [face(DEEPFAKE)]), ["face_suspicious", "strongest_moment", "scope"]),
    "a fake face among others": (
        report(DEEPFAKE, [face(AUTHENTIC), face(DEEPFAKE, 2), face(INCONCLUSIVE, 3)]),
        ["face_suspicious", "strongest_moment", "faces_too_brief", "scope"],
    ),
    "five fake faces": (
        report(DEEPFAKE, [face(DEEPFAKE, n) for n in range(1, 6)]),
        ["face_suspicious"] * 3 + ["more_faces", "strongest_moment", "scope"],
    ),
    "many short shots": (
        report(DEEPFAKE, [face(INCONCLUSIVE, n) for n in range(1, 6)]),
        ["faces_together", "strongest_moment", "scope"],
    ),
    "perhaps": (report(UNCERTAIN, [face(UNCERTAIN)]), ["face_doubtful", "strongest_moment", "scope"]),
    "nothing": (report(AUTHENTIC, [face(AUTHENTIC)]), ["nothing_found", "scope"]),
    "a photograph on the wall": (
        report(AUTHENTIC, [face(AUTHENTIC), face(UNCERTAIN, 2)]),
        ["nothing_found", "face_still", "scope"],
    ),
    "two frames": (
        report(UNCERTAIN, [face(INCONCLUSIVE)], words.TWO_FRAMES(needed=3, advice=MORE), manipulation_probability=0.9),
        ["two_frames", "scope"],
    ),
    "too short": (
        report(UNCERTAIN, [face(INCONCLUSIVE)], words.TOO_SHORT(seconds="0.1", needed="0.5", advice=MORE)),
        ["too_short", "scope"],
    ),
    "one picture": (
        report(UNCERTAIN, [face(INCONCLUSIVE)], words.SAME_PICTURE(needed=3, advice=MORE)),
        ["same_picture", "scope"],
    ),
    "a poster": (
        report(UNCERTAIN, [face(UNCERTAIN)], words.NOTHING_MOVES(advice=words.ALIVE())),
        ["nothing_moves", "scope"],
    ),
    "one frame": (
        report(
            INCONCLUSIVE, [face(INCONCLUSIVE)], words.ONE_FRAME(needed=3, count=1, advice=words.LOWER_RATE(rate=30))
        ),
        ["one_frame", "scope"],
    ),
    "no face": (report(INCONCLUSIVE, [], words.NO_FACE(count=30, advice=MORE)), ["no_face", "scope"]),
    "no fit face": (
        report(INCONCLUSIVE, [face(INCONCLUSIVE)], words.NO_FIT_FACE(count=30, needed=3, advice=MORE)),
        ["no_fit_face", "scope"],
    ),
    "a GIF": (report(INCONCLUSIVE, [], words.PALETTE()), ["palette", "scope"]),
    "a crowd": (report(AUTHENTIC, [face(AUTHENTIC)], words.CROWD(count=8)), ["nothing_found", "crowd", "scope"]),
}
FLAWS = {flaw.value.code for flaw in Flaw}


@pytest.mark.parametrize("name", CASES)
def test_each_reason_is_said_of_its_evidence_and_of_no_other(name: str) -> None:
    judged, codes = CASES[name]
    assert said(judged, words) == codes
    check_words(judged)
    limits = [finding.text("en") for finding in judged.limits]
    assert judged.message == (" ".join(limits) or None)
    if judged.verdict is INCONCLUSIVE or (judged.limits and judged.verdict is UNCERTAIN):
        assert limits[0] in judged.summary


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("flaw", Flaw)
def test_each_flaw_is_said_of_its_faces(flaw: Flaw, count: int) -> None:
    judged = report(AUTHENTIC, [face(AUTHENTIC)], *describe(Counter({flaw: count}), 64))
    assert said(judged, words) == ["nothing_found", flaw.value.code, "scope"]
    assert all(str(count) in text for text in check_words(judged).values())


def test_every_reason_has_a_case() -> None:
    assert {code for _, codes in CASES.values() for code in codes} | FLAWS == codes_of(words)


@pytest.mark.parametrize("verdict", [AUTHENTIC, UNCERTAIN, DEEPFAKE])
def test_an_answer_says_what_where_how_sure_and_what_next(verdict: Verdict) -> None:
    judged = report(verdict, [face(verdict)])
    texts = check_words(judged)
    codes = {reason.code for reason in judged.reasons}
    steps = {AUTHENTIC: "stay_careful", UNCERTAIN: "verify", DEEPFAKE: "call_back"}
    places = {AUTHENTIC: "score_low", UNCERTAIN: "score_between", DEEPFAKE: "score_high"}
    assert codes & set(steps.values()) == {steps[verdict]}
    assert codes & set(places.values()) == {places[verdict]}
    for text in texts.values():
        assert "00:12" in text
        assert "00:31" in text
        assert all(number in text for number in ("100", "3", "18")), "the policy's rates"


def test_what_is_missing_speaks_before_the_score() -> None:
    """A high score that too little supports must not read as an accusation."""
    judged, _ = CASES["two frames"]
    assert "measured" in [reason.code for reason in judged.reasons]
    assert not {"score_high", "score_between", "call_back"} & {reason.code for reason in judged.reasons}
    assert judged.summary.startswith("Uncertain: A face could be judged in only two frames")

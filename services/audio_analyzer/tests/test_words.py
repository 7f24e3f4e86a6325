"""What an audio answer says to a person: true of its evidence, whole, and in every language."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from audio_analyzer import words
from audio_analyzer.quality import Quality, refusal
from audio_analyzer.report import AudioReport, SuspiciousSegment, Voice
from sg_common.analysis import ModelInfo, Report, Status
from sg_common.verdict import DEFAULT_POLICY, Rates, Thresholds, Verdict
from sg_common.words import shared

from testbed.words import check_words, codes_of, said

AUTHENTIC, UNCERTAIN, DEEPFAKE, INCONCLUSIVE = (
    Verdict.LIKELY_AUTHENTIC,
    Verdict.UNCERTAIN,
    Verdict.LIKELY_DEEPFAKE,
    Verdict.INCONCLUSIVE,
)
SCORES = {AUTHENTIC: 0.1, UNCERTAIN: 0.5, DEEPFAKE: 0.9, INCONCLUSIVE: 0.5}
RATES = Rates(false_alarm_rate=0.046, false_alarm_interval=(0.021, 0.078), detection_rate=0.46)
UNJUDGED = words.VOICE_UNJUDGED(
    who=words.who(3), when=shared.when(1, 2), why=words.TOO_LITTLE_SPEECH(found="0.9", needed="2")
)
GOOD = Quality(audio_seconds=30, speech_seconds=12, peak=0.5, crest_db=14, sample_rate=16000, band_db=-20)


def voice(verdict: Verdict, number: int = 1, channel: int | None = None) -> Voice:
    return Voice(
        voice=number,
        channel=channel,
        first_heard=12.0,
        last_heard=65.9,
        speech_seconds=0.9 if verdict is INCONCLUSIVE else 40.0,
        deepfake_probability=SCORES[verdict],
        verdict=verdict,
    )


def stretch(start: float, score: float = 0.9, channel: int | None = None, of_voice: int = 1) -> SuspiciousSegment:
    return SuspiciousSegment(start=start, end=start + 8, channel=channel, voice=of_voice, deepfake_probability=score)


def report(
    verdict: Verdict, voices: list[Voice], stretches: list[SuspiciousSegment] | None = None, **more: Any
) -> AudioReport:
    return AudioReport(
        verdict=verdict,
        status=Status.INCONCLUSIVE if verdict is INCONCLUSIVE else Status.SUCCESS,
        policy=DEFAULT_POLICY,
        thresholds=Thresholds(likely_authentic=0.2, likely_deepfake=0.8),
        policy_rates=RATES,
        sha256="0" * 64,
        model=ModelInfo(name="m", version="1", variant="fp32"),
        processing_seconds=0.1,
        deepfake_probability=SCORES[verdict],
        audio_duration=70.0,
        speech_duration=40.0,
        sample_rate=16000,
        segments=[],
        voices=voices,
        suspicious_segments=stretches or [],
        **more,
    )


CASES: dict[str, tuple[AudioReport, list[str]]] = {
    "a fake throughout": (report(DEEPFAKE, [voice(DEEPFAKE)]), ["voice_suspicious", "scope"]),
    "a fake on the right": (
        report(DEEPFAKE, [voice(AUTHENTIC, 1, 1), voice(DEEPFAKE, 2, 2)], [stretch(65, channel=2, of_voice=2)]),
        ["voice_suspicious", "scope"],
    ),
    "five stretches": (
        report(DEEPFAKE, [voice(DEEPFAKE)], [stretch(10 * n) for n in range(5)]),
        ["voice_suspicious"] * 3 + ["more_stretches", "scope"],
    ),
    "perhaps": (report(UNCERTAIN, [voice(UNCERTAIN)]), ["voice_doubtful", "scope"]),
    "nothing": (report(AUTHENTIC, [voice(AUTHENTIC)]), ["nothing_found", "scope"]),
    "nothing, and a word on another channel": (
        report(AUTHENTIC, [voice(AUTHENTIC, 1, 1), voice(INCONCLUSIVE, 2, 3)], notes=(UNJUDGED,)),
        ["nothing_found", "voice_unjudged", "scope"],
    ),
    "strong and weak": (
        report(DEEPFAKE, [voice(DEEPFAKE)], [stretch(10), stretch(30, 0.4)]),
        ["voice_suspicious", "voice_doubtful", "scope"],
    ),
    "compressed": (
        report(AUTHENTIC, [voice(AUTHENTIC)], notes=(words.LOW_BIT_RATE(kilobits=12),)),
        ["nothing_found", "low_bit_rate", "scope"],
    ),
    "unscorable": (report(INCONCLUSIVE, [], limits=(words.UNSCORABLE(),)), ["unscorable", "scope"]),
}
REFUSED = {
    "empty": replace(GOOD, audio_seconds=0, speech_seconds=0, peak=0, crest_db=math.inf),
    "too_quiet": replace(GOOD, speech_seconds=0, peak=0.0005, crest_db=math.inf),
    "no_speech": replace(GOOD, speech_seconds=0),
    "too_little_speech": replace(GOOD, speech_seconds=1.96),
    "narrow_band": replace(GOOD, band_db=-60),
    "overdriven": replace(GOOD, crest_db=3),
}


@pytest.mark.parametrize("name", CASES)
def test_each_reason_is_said_of_its_evidence_and_of_no_other(name: str) -> None:
    judged, codes = CASES[name]
    assert said(judged, words) == codes
    check_words(judged)


@pytest.mark.parametrize("code", REFUSED)
def test_each_refusal_is_said_of_its_fault_and_of_no_other(code: str) -> None:
    assert refusal(GOOD, 2.0) is None
    refused = refusal(REFUSED[code], 2.0)
    assert refused is not None
    judged = report(INCONCLUSIVE, [], limits=(refused, shared.CUT_OFF()))
    assert said(judged, words) == [code, "scope"]
    assert judged.message == f"{refused.text('en')} {shared.CUT_OFF().text('en')}"
    assert refused.text("en") in judged.summary
    texts = check_words(judged)
    assert refused.text("ko") in texts["ko"]


def test_every_reason_has_a_case() -> None:
    assert {code for _, codes in CASES.values() for code in codes} | set(REFUSED) == codes_of(words)


@pytest.mark.parametrize("verdict", [AUTHENTIC, UNCERTAIN, DEEPFAKE])
def test_an_answer_says_what_where_how_sure_and_what_next(verdict: Verdict) -> None:
    judged = report(verdict, [voice(verdict)])
    texts = check_words(judged)
    codes = {reason.code for reason in judged.reasons}
    steps = {AUTHENTIC: "stay_careful", UNCERTAIN: "verify", DEEPFAKE: "call_back"}
    places = {AUTHENTIC: "score_low", UNCERTAIN: "score_between", DEEPFAKE: "score_high"}
    assert codes & set(steps.values()) == {steps[verdict]}
    assert codes & set(places.values()) == {places[verdict]}
    for text in texts.values():
        assert "00:12" in text
        assert "01:05" in text
        assert all(number in text for number in ("100", "5", "46")), "the policy's rates"
    assert judged.message is None


def test_a_channel_is_called_by_its_side() -> None:
    judged, _ = CASES["a fake on the right"]
    english, korean = judged.told("en"), judged.told("ko")
    assert english.summary.startswith(
        "Probably made or changed by software: the voice on the right channel between 01:05"
    )
    assert korean.summary.startswith("01:05부터 01:13까지 들리는 오른쪽 채널 음성은")
    assert "channel 3" in CASES["nothing, and a word on another channel"][0].reasons[1].text


def test_a_report_that_is_read_back_keeps_its_words() -> None:
    judged, _ = CASES["unscorable"]
    again: Report = AudioReport.model_validate_json(judged.in_language("ko").model_dump_json())
    assert (again.summary, again.reasons) == (judged.told("ko").summary, judged.told("ko").reasons)
    assert again.message == words.UNSCORABLE().text("ko")
    assert judged.summary.startswith("No verdict: The model has no answer")

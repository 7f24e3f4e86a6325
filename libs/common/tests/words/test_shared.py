"""What every service says: true of its evidence, whole, and in every language."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from sg_common.analysis import ModelInfo, Report, Status
from sg_common.verdict import DEFAULT_POLICY, Rates, Thresholds, Verdict
from sg_common.words import shared
from sg_common.words.phrases import clock

from testbed.analyzer import BytesReport
from testbed.words import check_words, codes_of

RATES = Rates(false_alarm_rate=0.0346, false_alarm_interval=(0.0111, 0.0694), detection_rate=0.18)
SCORES = {
    Verdict.LIKELY_AUTHENTIC: 0.1,
    Verdict.UNCERTAIN: 0.5,
    Verdict.LIKELY_DEEPFAKE: 0.8,
    Verdict.INCONCLUSIVE: 0.5,
}
CASES = {
    Verdict.LIKELY_AUTHENTIC: ["score_low", "measured", "no_all_clear", "stay_careful"],
    Verdict.UNCERTAIN: ["score_between", "measured", "verify"],
    Verdict.LIKELY_DEEPFAKE: ["score_high", "measured", "not_proof", "call_back"],
    Verdict.INCONCLUSIVE: ["cut_off", "verify"],
}


def report(verdict: Verdict, rates: Rates | None = RATES) -> Report:
    inconclusive = verdict is Verdict.INCONCLUSIVE
    return BytesReport(
        verdict=verdict,
        status=Status.INCONCLUSIVE if inconclusive else Status.SUCCESS,
        policy=DEFAULT_POLICY,
        thresholds=Thresholds(likely_authentic=0.2, likely_deepfake=0.8),
        policy_rates=rates,
        sha256="0" * 64,
        model=ModelInfo(name="m", version="1", variant="fp32"),
        processing_seconds=0.1,
        share_of_odd_bytes=SCORES[verdict],
        bytes_read=1,
        sample_rate=None,
        limits=(shared.CUT_OFF(),) if inconclusive else (),
    )


@pytest.mark.parametrize("verdict", CASES)
def test_each_verdict_has_its_reasons_and_no_others(verdict: Verdict) -> None:
    judged = report(verdict)
    assert [reason.code for reason in judged.reasons] == CASES[verdict]
    check_words(judged)


def test_what_nobody_has_measured_is_said_to_be_unknown() -> None:
    codes = [reason.code for reason in report(Verdict.UNCERTAIN, rates=None).reasons]
    assert codes == ["score_between", "unmeasured", "verify"]


def test_every_reason_has_a_case() -> None:
    results_have = {"not_applicable", "failed"}  # in test_results.py
    assert {code for codes in CASES.values() for code in codes} | {"unmeasured"} | results_have == codes_of(shared)


@pytest.mark.parametrize(
    ("rate", "interval", "words"),
    [
        (
            0.0346,
            (0.0111, 0.0694),
            "about 3 of 100 genuine files were wrongly called a likely deepfake (95% interval: 1 to 7)",
        ),
        (
            0.0021,
            (0.0, 0.0049),
            "about 2 of 1000 genuine files were wrongly called a likely deepfake (95% interval: 0 to 5)",
        ),
        (0.2134, (0.1513, 0.2694), "about 21 of 100 genuine files"),
    ],
)
def test_rates_are_told_in_files(rate: float, interval: tuple[float, float], words: str) -> None:
    rates = Rates(false_alarm_rate=rate, false_alarm_interval=interval, detection_rate=0.46)
    assert words.format(called="were wrongly called a likely deepfake") in shared.measured(rates).text("en")
    assert "about 46 of 100 fakes" in shared.measured(rates).text("en")


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00"), (65.9, "01:05"), (3725, "1:02:05")])
def test_times_are_as_players_show_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_moment_is_no_range() -> None:
    assert shared.when(12.1, 12.9).text("en") == "at 00:12"
    assert shared.when(12.1, 13.9).text("en") == "between 00:12 and 00:13"


def test_a_report_within_a_document_keeps_its_language() -> None:
    class Document(BaseModel):
        result: BytesReport

    korean = report(Verdict.UNCERTAIN).in_language("ko")
    assert isinstance(korean, BytesReport)
    document = Document(result=korean)
    assert document.result.summary == korean.told("ko").summary
    assert Document.model_validate_json(document.model_dump_json()).result.summary == korean.summary

"""What every service says: how sure an answer is, what it can't tell, and what to do next."""

from __future__ import annotations

from functools import partial

from sg_common.verdict import Rates, Thresholds, Verdict
from sg_common.words.phrases import Finding, Phrase, clock

# `make words` finds phrases by these names: `said` are no reasons of their own.
reason = partial(Phrase, "sg_common")
said = partial(Phrase, "sg_common", "")

VERDICTS = {
    Verdict.LIKELY_AUTHENTIC: said("likely authentic"),
    Verdict.UNCERTAIN: said("uncertain"),
    Verdict.LIKELY_DEEPFAKE: said("LIKELY DEEPFAKE"),
    Verdict.INCONCLUSIVE: said("inconclusive"),
}
LABELLED = said("{verdict} (probability of manipulation {share})")
AT = said("at {time}")
BETWEEN = said("between {start} and {end}")

SUMMARIES = {
    Verdict.LIKELY_AUTHENTIC: said("No sign of manipulation was found, which does not prove that the file is genuine."),
    Verdict.UNCERTAIN: said("This file shows too little to call it genuine or fake; treat it as unchecked."),
    Verdict.LIKELY_DEEPFAKE: said(
        "This file was probably made or changed by software; "
        "before you act on it, reach the person on a number you already know."
    ),
    Verdict.INCONCLUSIVE: said("This file could not be judged; treat it as unchecked."),
}
NO_VERDICT = said("No verdict: {why}")
STAYS_UNCERTAIN = said("Uncertain: {why}")

CUT_OFF = reason(
    "cut_off",
    "The file is cut off: its header promises more than is there. Send the whole file to have all of it judged.",
)
NOT_APPLICABLE = reason("not_applicable", "There was nothing to judge: {detail}")
FAILED = reason("failed", "The file could not be judged: {detail}")

SCORE_LOW = reason("score_low", "The score is {score}; below {likely_authentic} a file is called likely authentic.")
SCORE_BETWEEN = reason(
    "score_between",
    "The score is {score}, between {likely_authentic} and {likely_deepfake}: too high to pass, too low to accuse.",
)
SCORE_HIGH = reason("score_high", "The score is {score}; from {likely_deepfake} on a file is called a likely deepfake.")
MEASURED = reason(
    "measured",
    "In tests at this setting, about {alarms} of {genuine} genuine files were wrongly called a likely deepfake "
    "(95% interval: {low} to {high}), and about {found} of 100 fakes were called so.",
)
UNMEASURED = reason("unmeasured", "How often this model is wrong at this setting has not been measured.")

NOT_PROOF = reason("not_proof", "This is a probability and no proof: accuse nobody by it alone.")
NO_ALL_CLEAR = reason(
    "no_all_clear", "That no sign was found does not prove the file genuine: a new or well-made fake may show none."
)
CALL_BACK = reason(
    "call_back",
    "Do not send money, codes or documents because of this file; "
    "call the person back on a number that you already know.",
)
VERIFY = reason(
    "verify", "Treat the file as unchecked: before you act on it, reach the person on a number that you already know."
)
STAY_CAREFUL = reason(
    "stay_careful",
    "Where money, codes or haste are asked for, call the person back on a number that you already know all the same.",
)


def when(start: float, end: float) -> Finding:
    """A stretch of a file, seconds, as a part of a sentence."""
    first, last = clock(start), clock(end)
    return AT(time=first) if first == last else BETWEEN(start=first, end=last)


def number(value: float) -> str:
    """A score or a threshold with the digits that the answer shows."""
    return f"{value:.4g}"


def certainty(score: float, verdict: Verdict, thresholds: Thresholds, rates: Rates | None) -> list[Finding]:
    """How sure a judged file's verdict is: where its score lies, and what verdicts at these thresholds are worth."""
    low, high = number(thresholds.likely_authentic), number(thresholds.likely_deepfake)
    places = {
        Verdict.LIKELY_AUTHENTIC: SCORE_LOW,
        Verdict.UNCERTAIN: SCORE_BETWEEN,
        Verdict.LIKELY_DEEPFAKE: SCORE_HIGH,
    }
    found = [measured(rates)]
    # Where something was missing, the verdict is not what the score alone would say.
    if verdict is thresholds.verdict(score):
        found.insert(0, places[verdict](score=number(score), likely_authentic=low, likely_deepfake=high))
    return found


def measured(rates: Rates | None) -> Finding:
    """What a policy is worth, in files that a person can picture."""
    if rates is None:
        return UNMEASURED()
    # Of a hundred, a rate below half a percent would read as none at all.
    genuine = 100 if rates.false_alarm_rate >= 0.005 else 1000
    low, high = rates.false_alarm_interval
    return MEASURED(
        alarms=round(genuine * rates.false_alarm_rate),
        genuine=genuine,
        low=round(genuine * low),
        high=round(genuine * high),
        found=round(100 * rates.detection_rate),
    )


def next_steps(verdict: Verdict) -> list[Finding]:
    """What to make of a verdict, and what to do."""
    match verdict:
        case Verdict.LIKELY_DEEPFAKE:
            return [NOT_PROOF(), CALL_BACK()]
        case Verdict.LIKELY_AUTHENTIC:
            return [NO_ALL_CLEAR(), STAY_CAREFUL()]
        case _:
            return [VERIFY()]

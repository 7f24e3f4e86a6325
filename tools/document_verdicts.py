"""Writes docs/verdicts.md from the phrases and the shipped models' rates, so that the page cannot drift from either."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from audio_analyzer import words as audio
from sg_common.bundle.spec import FaceSpec, VoiceSpec, read_task
from sg_common.words import origin, shared
from sg_common.words.phrases import Phrase
from video_analyzer import words as video

from tools.pages import finish

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verdicts.md"

HEAD = """# What an answer means

This page is for people who must act on an answer: a family, a bank's fraud desk, a moderator. It is written by
`make docs` from the sentences of the services and from the rates of the shipped models.

`summary` is the answer in one sentence. `reasons` say what was found and where, how sure that is, what the judge can't
tell, and what to do next. `message` holds those of them that say what was missing. All three are in English or Korean:
`lang=ko`, an `Accept-Language` header, or the language of the terminal.

## Verdicts

- `likely_deepfake`: the evidence looks more like a fake than most genuine files do; how many, the policy says. It is no
  proof. Don't send money, codes or documents because of the file. Call the person back on a number that you already
  know. Accuse nobody by it alone.
- `uncertain`: this evidence does not tell, or too much was missing for a verdict. Treat the file as unchecked, and ask
  for what the first reason asks for.
- `likely_authentic`: no sign was found that this model knows. A new or well-made fake may show none. Where money, codes
  or haste are asked for, call back all the same.
- `inconclusive`: nothing could be judged, and the score 0.5 means unknown. Send what the first reason asks for; until
  then treat the file as unchecked.

The score is no share of anything: a score of 0.9 does not mean that nine such files in ten are fake. How many are
depends on how many fakes there are among the files that you see. Compare it with `thresholds`, or go by `verdict`.

No judge looks at everything. The audio service hears voices, not what is said nor who says it. The video service looks
at faces, not at the scene. A genuine recording can still be part of a scam.

## Policies

A policy chooses which errors matter. All of them judge by the same score; they call it by other thresholds. The rates
were measured on sources that the model never learned from; your files may be harder.

"""
POLICIES = {
    "low_false_alarm": "the default: for whoever would accuse, warn or block",
    "balanced": "for a person who looks at everything that is called",
    "high_recall": "for sorting: what to look at first",
}
CODES = """## Reasons

Programs go by `code`. The sentence is for a person and may be put better in any release. What stands in braces is
filled in; `{advice}` is what to send instead.
"""


def policies() -> str:
    """What each policy is worth in each service, by its bundle."""
    rows = ["| `policy` | meant | audio | video |", "| --- | --- | --- | --- |"]
    models = ROOT / "models"
    points = [
        read_task(models / "audio", VoiceSpec).calibration.operating_points,
        read_task(models / "video", FaceSpec).calibration.operating_points,
    ]
    for policy, meant in POLICIES.items():
        told = [
            "refused (422)"
            if policy not in of_kind and policy != "low_false_alarm"
            else shared.measured(of_kind[policy].rates if policy in of_kind else None).text("en")
            for of_kind in points
        ]
        rows.append(f"| `{policy}` | {meant} | {' | '.join(told)} |")
    return "\n".join(rows) + "\n"


def reasons(module: ModuleType) -> str:
    """Every reason of a module of phrases."""
    phrases = [value for value in vars(module).values() if isinstance(value, Phrase) and value.code]
    rows = ["| `code` | what it says |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{phrase.code}` | {phrase.plural or phrase.text} |" for phrase in phrases)]) + "\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD + policies(), CODES]
    for title, module in (
        ("Both services", shared),
        ("What the file claims", origin),
        ("Audio", audio),
        ("Video", video),
    ):
        parts += [f"### {title}\n", reasons(module)]
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(finish({PAGE: page()}))

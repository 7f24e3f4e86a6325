"""Tables of model cards, and where they stand in a card."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path

from training.common.metrics import Interval

START, END = "<!-- figures:start -->", "<!-- figures:end -->"
CALLS = "<!-- calls:start -->", "<!-- calls:end -->"

Row = Sequence[object]


def table(header: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table; floats with three decimals."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def percent(share: float | Interval) -> str:
    """A share as a percentage, with its interval where it has one; a dash for a share of nothing (NaN)."""
    if isinstance(share, Interval):
        return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"
    return "-" if isnan(share) else f"{share:.1%}"


def write_figures(card: Path, text: str, marks: tuple[str, str] = (START, END)) -> None:
    """Replace what stands between two marks in a card.

    Raises:
        ValueError: the markers are missing.
    """
    before, start, rest = card.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not start or not end:
        raise ValueError(f"{card} lacks the marks {marks[0]} and {marks[1]}")
    card.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")

"""Answers as rows: one for each file and analyzer, as CSV (RFC 4180) or as a table of Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from sg_common.cli.outcome import Outcomes
from sg_common.cli.output import say
from sg_common.errors import ServiceError
from sg_common.words.languages import Language

COLUMNS = ("file", "kind", "verdict", "probability", "status", "policy", "model", "sha256", "summary")


class Table:
    """Prints rows, their heads before the first.

    Args:
        form: `csv` or `md`.
        language: of the sentences.
    """

    def __init__(self, form: str, language: Language) -> None:
        self._line = _csv if form == "csv" else _markdown
        self._rule = form == "md"
        self._language = language
        self._begun = False

    def refuse(self, name: str, error: ServiceError) -> None:
        """Raises OutputClosed."""
        self.give(name, {"": error})

    def give(self, name: str, outcomes: Outcomes) -> None:
        """Raises OutputClosed."""
        for kind, said in outcomes.items():
            if isinstance(said, ServiceError):
                self._row((name, kind, "", "", said.code, "", "", "", said.detail))
                continue
            model = f"{said.model.name} {said.model.version} {said.model.variant}"
            row = (said.verdict, said.probability, said.status, said.policy, model, said.sha256)
            self._row((name, kind, *map(str, row), said.told(self._language).summary))

    def _row(self, cells: Sequence[str]) -> None:
        if not self._begun:
            self._begun = True
            say(self._line(COLUMNS))
            if self._rule:
                say(_markdown(["---"] * len(COLUMNS)))
        say(self._line(cells))


def _csv(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _markdown(cells: Sequence[str]) -> str:
    shown = (" ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(shown)} |"

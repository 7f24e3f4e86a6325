"""`analyze --report`: the answers as a file to look at, or a folder of such files with an index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sg_view.page import render

from sg_common.analysis import Report
from sg_common.cli.outcome import Outcomes, problem
from sg_common.errors import MalformedRequest, ServiceError
from sg_common.words.languages import LANGUAGES, SOURCE, Language

INDEX = "index.html"


class ReportFiles:
    """Writes the view of each judged file.

    Args:
        target: the file, or the folder where there are several.
        several: whether more than one file may come.
        lang: the language that the view begins in; None for the reader's.

    Raises:
        MalformedRequest: nothing can be written there.
    """

    def __init__(self, target: Path, *, several: bool, lang: Language | None = None) -> None:
        self._lang = lang
        self._index: list[dict[str, Any]] | None = None
        if several or target.is_dir():
            self._folder, self._name = target, None
            self._index = []
        else:
            self._folder, self._name = target.parent, target.name
        try:
            if self._index is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            if not self._folder.is_dir():
                raise MalformedRequest(f"--report: {self._folder} is not a folder that exists")
        except OSError as error:
            raise MalformedRequest(f"--report: {target}: {(error.strerror or str(error)).lower()}") from error

    def add(self, name: str, media: Path | str, outcomes: Outcomes, drawn: Mapping[str, object]) -> None:
        """One file's view.

        Args:
            name: the file as its owner calls it.
            media: where it is; an address was read elsewhere.
            outcomes: what each analyzer said.
            drawn: what its service drew, by kind.

        Raises:
            MalformedRequest: it cannot be written.
        """
        results = [_result(kind, said, drawn.get(kind)) for kind, said in outcomes.items()]
        shown = Path(name).name or name
        size = media.stat().st_size if isinstance(media, Path) else None
        document = {"file": {"name": _text(shown), "bytes": size}, "made": _now(), "results": results}
        place = self._name or f"{len(self._index or ()) + 1:03}-{_plain(shown)}.html"
        self._write(place, document, _text(shown), _sentences(outcomes, self._lang or SOURCE))
        if self._index is not None:
            self._index.append({"name": _text(name), "href": place, "results": [_short(result) for result in results]})

    def refuse(self, name: str, error: ServiceError) -> None:
        """A name that led to no file: it is told in the index."""
        if self._index is not None:
            self._index.append({"name": _text(name), "results": [], "problem": problem(error)})

    def close(self) -> None:
        """Write the index (raises MalformedRequest)."""
        if self._index is not None:
            self._write(INDEX, {"index": self._index, "made": _now()}, "Silver Guardian", "")

    def _write(self, place: str, document: dict[str, Any], title: str, plain: str) -> None:
        path = self._folder / place
        text = render(document, title=title, plain=plain, lang=self._lang)
        try:
            # Whole or not at all: a reader never meets half a report.
            half = path.with_name(f".{path.name}.part")
            half.write_text(text, encoding="utf-8")
            half.replace(path)
        except OSError as error:
            raise MalformedRequest(f"--report: {path}: {(error.strerror or str(error)).lower()}") from error


def _result(kind: str, said: Report | ServiceError, pictures: object) -> dict[str, Any]:
    if isinstance(said, ServiceError):
        return {"kind": kind, "report": None, "problem": problem(said), "pictures": pictures}
    # Its reader may speak another language than who wrote it.
    translations = {lang: said.told(lang).model_dump(mode="json") for lang in LANGUAGES}
    report = {**said.model_dump(mode="json"), "translations": translations}
    return {"kind": kind, "report": report, "problem": None, "pictures": pictures}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _text(name: str) -> str:
    """A file's name may be no Unicode; a page must be."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(name: str) -> str:
    """A name that every file system and address takes."""
    return re.sub(r"[^\w.-]+", "-", _text(name)).strip(".-")[:80] or "file"


def _short(result: dict[str, Any]) -> dict[str, Any]:
    report = result["report"] or {}
    kept = {name: report.get(name) for name in ("verdict", "probability")}
    return {"kind": result["kind"], "problem": result["problem"], **kept}


def _sentences(outcomes: Outcomes, language: Language) -> str:
    """What is told where scripts are off."""
    told = (
        f"{kind}: {said.detail if isinstance(said, ServiceError) else said.told(language).summary}"
        for kind, said in outcomes.items()
    )
    return _text(" ".join(told))

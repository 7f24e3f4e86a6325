"""`analyze`: judge files in this process, without a server."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Progress, Report, Status
from sg_common.cli.arguments import add_sample_rate
from sg_common.cli.status import ExitStatus
from sg_common.errors import MissingStream, NotFound, NotMedia, ServiceError
from sg_common.media import Decoders
from sg_common.observability import configure_logging
from sg_common.service import AnalyzerService

_WORDS = {
    "likely_authentic": "likely authentic",
    "uncertain": "uncertain",
    "likely_deepfake": "LIKELY DEEPFAKE",
    "inconclusive": "inconclusive",
}
_PROGRESS_AFTER_SECONDS = 1.0


@dataclass(frozen=True)
class _Outcome:
    """What one analyzer said of one file: a report or a failure."""

    kind: str
    report: Report | None
    error: ServiceError | None


def add_analyze_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="media files")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file instead of sentences")
    add_sample_rate(parser)
    parser.epilog = (
        "Exit status: 0 when every file was judged by at least one analyzer, 2 when any could not be read. "
        "'inconclusive' is an answer: the sentence says what was missing."
    )


def run_analyze(services: Sequence[AnalyzerService], options: argparse.Namespace) -> int:
    """Judge every file with every analyzer that finds its stream; the exit status.

    Raises:
        ConfigurationError: a setting or a model bundle cannot work.
    """
    settings = {service.kind: service.settings() for service in services}
    configure_logging("cli", "WARNING", "text")
    chosen = AnalysisOptions(sample_rate=options.sample_rate)
    unreadable = 0
    with closing(Decoders(settings[services[0].kind].decoder_parent_files)) as decoders:
        decoders.prepare()  # it loads beside the models
        analyzers = [service.build(settings[service.kind]) for service in services]
        for path in options.files:
            outcomes = _judge(path, analyzers, chosen, decoders)
            judged = any(outcome.report is not None for outcome in outcomes)
            unreadable += not judged
            _print_json(path, outcomes) if options.json else _print_text(path, outcomes)
    return ExitStatus.REFUSED if unreadable else ExitStatus.DONE


def _judge(path: Path, analyzers: Sequence[Analyzer], options: AnalysisOptions, decoders: Decoders) -> list[_Outcome]:
    outcomes = []
    for analyzer in analyzers:
        progress = _ProgressLine(f"{path.name}: {analyzer.kind}")
        job = Job(on_progress=progress.update, decoders=decoders)
        try:
            if not path.exists():
                raise NotFound(f"{path}: no such file")
            if not path.is_file():
                raise NotMedia(f"{path}: not a regular file")
            outcomes.append(_Outcome(analyzer.kind, analyzer.analyze(path, options, job), None))
        except ServiceError as error:
            outcomes.append(_Outcome(analyzer.kind, None, error))
        finally:
            progress.clear()
    return outcomes


class _ProgressLine:
    """One line that is rewritten, on a terminal only, and only for work that takes a while."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._job_started: float | None = None
        self._shown = False

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._job_started is None:
            self._job_started = now
        if not sys.stderr.isatty() or now - self._job_started < _PROGRESS_AFTER_SECONDS:
            return
        share = f"{min(1.0, progress.done / progress.total):4.0%}" if progress.total > 0 else f"{progress.done:,.0f} s"
        print(f"\r{self._label} {share}\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_text(path: Path, outcomes: Sequence[_Outcome]) -> None:
    print(path)
    for outcome in outcomes:
        print(f"  {outcome.kind + ':':<7}{_sentence(outcome)}")


def _sentence(outcome: _Outcome) -> str:
    if outcome.report is None:
        detail = outcome.error.detail if outcome.error else ""
        return f"nothing to judge ({detail})" if isinstance(outcome.error, MissingStream) else f"not judged: {detail}"
    report = outcome.report
    word = _WORDS[report.verdict]
    if report.status is Status.INCONCLUSIVE:
        return f"{word}: {report.message}"
    note = f"; {report.message}" if report.message else ""
    return f"{word} (probability of manipulation {report.probability:.0%}){note}"


def _print_json(path: Path, outcomes: Sequence[_Outcome]) -> None:
    answer: dict[str, object] = {"file": str(path)}
    for outcome in outcomes:
        if outcome.report is not None:
            answer[outcome.kind] = outcome.report.model_dump(mode="json")
        elif outcome.error is not None:
            error = outcome.error
            answer[outcome.kind] = {"error": {"code": error.code, "status": error.status, "detail": error.detail}}
    print(json.dumps(answer))

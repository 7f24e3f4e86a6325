"""`analyze`: judge files in this process, without a server."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Progress, Report, Status
from sg_common.cli.arguments import add_options, chosen_options
from sg_common.cli.inputs import Input, Inputs
from sg_common.cli.output import say, say_json
from sg_common.cli.status import ExitStatus
from sg_common.errors import InvalidOption, MissingStream, NotMedia, ServiceError
from sg_common.media import Decoders
from sg_common.service import AnalyzerService

_WORDS = {
    "likely_authentic": "likely authentic",
    "uncertain": "uncertain",
    "likely_deepfake": "LIKELY DEEPFAKE",
    "inconclusive": "inconclusive",
}
_PROGRESS_AFTER_SECONDS = 1.0
_SHOWN = 5


@dataclass(frozen=True)
class _Outcome:
    """What one analyzer said of one file: a report or a failure."""

    kind: str
    report: Report | None
    error: ServiceError | None


def add_analyze_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a media file, a folder, a pattern, s3://BUCKET/KEY (within SG_S3_ALLOW), or - for standard input",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a file instead of sentences")
    add_options(parser)
    parser.epilog = (
        "Exit status: 0 when every media file was judged by at least one analyzer, 2 when any could not be. Among "
        "several, files that are no media and are not called so (notes.txt) do not count. "
        "'inconclusive' is an answer: the sentence says what was missing."
    )


def run_analyze(services: Sequence[AnalyzerService], options: argparse.Namespace) -> int:
    """Judge every file with every analyzer that finds its stream; the exit status.

    Raises:
        ConfigurationError: a setting or a model bundle cannot work.
        InvalidOption: a model cannot judge at the policy.
        OutputClosed: nobody reads the answers any more.
    """
    settings = {service.kind: service.settings() for service in services}
    own = settings[services[0].kind]
    chosen = chosen_options(options)
    with closing(Inputs(own)) as inputs:
        asked = inputs.expand(options.files)
        answers = _Answers(as_json=options.json, several=len(asked) > 1)
        # Before the models are loaded: a misspelled name is told at once.
        for item in asked:
            if item.refusal is not None:
                answers.refuse(item.name, item.refusal)
        readable = [item for item in asked if item.refusal is None]
        if not readable:
            return answers.status()
        with closing(Decoders(own.decoder_parent_files)) as decoders:
            decoders.prepare()  # it loads beside the models
            analyzers = [service.build(settings[service.kind]) for service in services]
            for analyzer in analyzers:
                _check(analyzer, chosen)
            for item in readable:
                try:
                    with inputs.file(item.name) as path:
                        outcomes = _judge(path, item.name, analyzers, chosen, decoders)
                except ServiceError as error:
                    answers.refuse(item.name, error)
                else:
                    answers.give(item, outcomes)
    return answers.status()


def _check(analyzer: Analyzer, options: AnalysisOptions) -> None:
    try:
        analyzer.check(options)
    except InvalidOption as error:
        raise InvalidOption(f"{analyzer.kind}: {error.detail}") from error


def _judge(
    path: Path, name: str, analyzers: Sequence[Analyzer], options: AnalysisOptions, decoders: Decoders
) -> list[_Outcome]:
    outcomes = []
    for analyzer in analyzers:
        progress = _ProgressLine(f"{Path(name).name}: {analyzer.kind}")
        job = Job(on_progress=progress.update, decoders=decoders)
        try:
            outcomes.append(_Outcome(analyzer.kind, analyzer.analyze(path, options, job), None))
        except ServiceError as error:
            outcomes.append(_Outcome(analyzer.kind, None, error))
        finally:
            progress.clear()
    return outcomes


class _Answers:
    """Prints what is known of each file, once, and counts what the exit status tells."""

    def __init__(self, *, as_json: bool, several: bool) -> None:
        self._as_json = as_json
        self._several = several
        self._judged = 0
        self._failed = 0
        self._passed_over: list[str] = []

    def refuse(self, name: str, error: ServiceError) -> None:
        """Of a name that leads to no file that could be read."""
        self._failed += 1
        if self._as_json:
            say_json({"file": name, "error": _document(error)})
        else:
            print(error.detail, file=sys.stderr)

    def give(self, item: Input, outcomes: Sequence[_Outcome]) -> None:
        """Of a file, what each analyzer said."""
        judged = any(outcome.report is not None for outcome in outcomes)
        no_media = all(isinstance(outcome.error, NotMedia) for outcome in outcomes)
        passed_over = self._several and no_media and not item.called_media
        self._judged += judged
        self._failed += not judged and not passed_over
        if self._as_json:
            _print_json(item.name, outcomes)
        elif passed_over:
            self._passed_over.append(item.name)
        else:
            _print_text(item.name, outcomes)

    def status(self) -> ExitStatus:
        """The end: what was passed over, and the exit status."""
        if names := self._passed_over:
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            print(f"passed over, not media: {len(names)} ({shown})", file=sys.stderr)
        return ExitStatus.REFUSED if self._failed or not self._judged else ExitStatus.DONE


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


def _print_text(name: str, outcomes: Sequence[_Outcome]) -> None:
    say(name)
    said = [_sentence(outcome) for outcome in outcomes]
    if len(said) > 1 and len(set(said)) == 1 and outcomes[0].report is None:
        say(f"  {said[0]}")
        return
    for outcome, sentence in zip(outcomes, said, strict=True):
        say(f"  {outcome.kind + ':':<7}{sentence}")


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


def _print_json(name: str, outcomes: Sequence[_Outcome]) -> None:
    answer: dict[str, object] = {"file": name}
    for outcome in outcomes:
        if outcome.report is not None:
            answer[outcome.kind] = outcome.report.model_dump(mode="json")
        elif outcome.error is not None:
            answer[outcome.kind] = {"error": _document(outcome.error)}
    say_json(answer)


def _document(error: ServiceError) -> dict[str, object]:
    return {"code": error.code, "status": error.status, "detail": error.detail}

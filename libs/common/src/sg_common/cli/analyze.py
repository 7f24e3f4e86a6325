"""`analyze`: judge files, in this process or by running servers."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Progress, Report, Status
from sg_common.cli.arguments import add_lang, add_options, chosen_options
from sg_common.cli.inputs import Input, Inputs
from sg_common.cli.outcome import Outcomes, problem
from sg_common.cli.output import say, say_json
from sg_common.cli.report import ReportFiles
from sg_common.cli.status import ExitStatus
from sg_common.cli.tables import Table
from sg_common.errors import InvalidOption, MissingStream, NotMedia, ServiceError
from sg_common.media import Decoders
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.words import shared
from sg_common.words.languages import Language, of_terminal

_PROGRESS_AFTER_SECONDS = 1.0
_SHOWN = 5


_Judge = Callable[[Path | str, str], Outcomes]
"""Judges a file, or an address that is not read here, that a person calls so."""


def add_analyze_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a media file, a folder, a pattern, s3://BUCKET/KEY (within SG_S3_ALLOW), https://... "
        "(within SG_URL_ALLOW), or - for standard input",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "csv", "md"),
        default="text",
        help="sentences, one JSON object a file, or one row a file and analyzer as CSV or Markdown (default: text)",
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="PATH",
        help="also write the evidence to look at: one HTML file that needs no network, or a folder for several files",
    )
    add_options(parser)
    add_lang(parser)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="URL",
        help="ask this running service ($SG_API_KEY: its key) instead of judging here; once for each kind",
    )
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
        MalformedRequest: the report cannot be written.
        ServiceError: a server cannot be asked.
        OutputClosed: nobody reads the answers any more.
    """
    settings = {service.kind: service.settings() for service in services}
    own = settings[services[0].kind] if services else ServiceSettings.from_environment()
    chosen = chosen_options(options)
    with closing(Inputs(own, fetch=not options.server)) as inputs:
        asked = inputs.expand(options.files)
        several = len(asked) > 1
        files = ReportFiles(options.report, several=several, lang=options.lang) if options.report else None
        language = options.lang or of_terminal(os.environ)
        answers = _Answers(form=options.format, language=language, several=several, files=files)
        # Before the models are loaded: a misspelled name is told at once.
        for item in asked:
            if item.refusal is not None:
                answers.refuse(item.name, item.refusal)
        readable = [item for item in asked if item.refusal is None]
        if not readable:
            return answers.status()
        judging = _there(options.server, chosen, language) if options.server else _here(services, settings, chosen)
        draws = {service.kind: partial(service.draw, settings[service.kind]) for service in services if service.draw}
        with judging as (judge, decoders):
            for item in readable:
                try:
                    with inputs.file(item) as media:
                        outcomes = judge(media, item.name)
                        if files and not answers.passes_over(item, outcomes):
                            drawn = _draw(media, draws, chosen, outcomes, decoders)
                            files.add(item.name, media, outcomes, drawn)
                except ServiceError as error:
                    answers.refuse(item.name, error)
                else:
                    answers.give(item, outcomes)
    return answers.status()


@contextmanager
def _here(
    services: Sequence[AnalyzerService], settings: Mapping[str, ServiceSettings], options: AnalysisOptions
) -> Iterator[tuple[_Judge, Decoders | None]]:
    """The analyzers of this process, and where its decoder processes come from."""
    with closing(Decoders(settings[services[0].kind].decoder_parent_files)) as decoders:
        decoders.prepare()  # it loads beside the models
        analyzers = [service.build(settings[service.kind]) for service in services]
        for analyzer in analyzers:
            _check(analyzer, options)
        yield lambda media, name: _judge(Path(media), name, analyzers, options, decoders), decoders


@contextmanager
def _there(
    addresses: Sequence[str], options: AnalysisOptions, language: Language
) -> Iterator[tuple[_Judge, Decoders | None]]:
    """Servers, asked in the language of this terminal."""
    # The HTTP client is loaded only where it is used.
    from sg_common.cli.servers import Servers  # noqa: PLC0415

    asked = options.model_copy(update={"lang": language})
    with closing(Servers(addresses)) as servers:
        yield lambda media, _: servers.ask(media, asked), None


def _check(analyzer: Analyzer, options: AnalysisOptions) -> None:
    try:
        analyzer.check(options)
    except InvalidOption as error:
        raise InvalidOption(f"{analyzer.kind}: {error.detail}") from error


def _judge(
    path: Path, name: str, analyzers: Sequence[Analyzer], options: AnalysisOptions, decoders: Decoders
) -> Outcomes:
    outcomes: dict[str, Report | ServiceError] = {}
    for analyzer in analyzers:
        progress = _ProgressLine(f"{Path(name).name}: {analyzer.kind}")
        job = Job(on_progress=progress.update, decoders=decoders)
        try:
            outcomes[analyzer.kind] = analyzer.analyze(path, options, job)
        except ServiceError as error:
            outcomes[analyzer.kind] = error
        finally:
            progress.clear()
    return outcomes


def _draw(
    media: Path | str,
    draws: Mapping[str, Callable[..., dict[str, Any]]],
    options: AnalysisOptions,
    outcomes: Outcomes,
    decoders: Decoders | None,
) -> dict[str, dict[str, Any]]:
    """What each analyzer's service draws of a file, by kind. A picture that can't be drawn takes no answer away."""
    drawn: dict[str, dict[str, Any]] = {}
    if isinstance(media, str):
        return drawn  # it was read elsewhere
    for kind, said in outcomes.items():
        if isinstance(said, Report) and kind in draws:
            with suppress(ServiceError):
                drawn[kind] = draws[kind](media, said, options, Job(decoders=decoders))
    return drawn


class _Answers:
    """Prints what is known of each file, once, and counts what the exit status tells."""

    def __init__(self, *, form: str, language: Language, several: bool, files: ReportFiles | None = None) -> None:
        self._as_json = form == "json"
        self._table = Table(form, language) if form in ("csv", "md") else None
        self._language = language
        self._several = several
        self._files = files
        self._judged = 0
        self._failed = 0
        self._passed_over: list[str] = []

    def refuse(self, name: str, error: ServiceError) -> None:
        """Of a name that leads to no file that could be read."""
        self._failed += 1
        if self._files:
            self._files.refuse(name, error)
        if self._table:
            self._table.refuse(name, error)
        elif self._as_json:
            say_json({"file": name, "error": problem(error)})
        else:
            print(error.detail, file=sys.stderr)

    def give(self, item: Input, outcomes: Outcomes) -> None:
        """Of a file, what each analyzer said."""
        judged = any(isinstance(said, Report) for said in outcomes.values())
        passed_over = self.passes_over(item, outcomes)
        self._judged += judged
        self._failed += not judged and not passed_over
        if self._as_json:
            _print_json(item.name, outcomes, self._language)
        elif passed_over:
            self._passed_over.append(item.name)
        elif self._table:
            self._table.give(item.name, outcomes)
        else:
            _print_text(item.name, outcomes, self._language)

    def passes_over(self, item: Input, outcomes: Outcomes) -> bool:
        """Whether a file just lies beside media."""
        no_media = all(isinstance(said, NotMedia) for said in outcomes.values())
        return self._several and no_media and not item.called_media

    def status(self) -> ExitStatus:
        """The end: what was passed over, and the exit status.

        Raises:
            MalformedRequest: the report's index cannot be written.
        """
        if self._files:
            self._files.close()
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
        share = f"{progress.done:,.0f} s" if progress.fraction is None else f"{progress.fraction:4.0%}"
        print(f"\r{self._label} {share}\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_text(name: str, outcomes: Outcomes, language: Language) -> None:
    say(name)
    told = {kind: _lines(said, language) for kind, said in outcomes.items()}
    alike = len(told) > 1 and len(set(map(tuple, told.values()))) == 1
    if alike and not any(isinstance(said, Report) for said in outcomes.values()):
        say(f"  {next(iter(told.values()))[0]}")
        return
    for kind, (head, *rest) in told.items():
        say(f"  {kind + ':':<7}{head}")
        for line in rest:
            say(f"         {line}")


def _lines(said: Report | ServiceError, language: Language) -> list[str]:
    if isinstance(said, MissingStream):
        return [f"nothing to judge ({said.detail})"]
    if isinstance(said, ServiceError):
        return [f"not judged: {said.detail}"]
    head = shared.VERDICTS[said.verdict]()
    if said.status is Status.SUCCESS:
        head = shared.LABELLED(verdict=head, share=f"{said.probability:.0%}")
    words = said.told(language)
    return [head.text(language), words.summary, *(f"- {reason.text}" for reason in words.reasons)]


def _print_json(name: str, outcomes: Outcomes, language: Language) -> None:
    answer: dict[str, object] = {"file": name}
    for kind, said in outcomes.items():
        if isinstance(said, ServiceError):
            answer[kind] = {"error": problem(said)}
        else:
            answer[kind] = said.in_language(language).model_dump(mode="json")
    say_json(answer)

"""`submit`: send objects of a bucket to the workers' queues, and show their answers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sg_common.cli.arguments import add_options, chosen_options
from sg_common.cli.output import say, say_json
from sg_common.cli.status import ExitStatus
from sg_common.errors import MalformedRequest, NotFound
from sg_common.service import AnalyzerService

if TYPE_CHECKING:
    from sg_common.cli.submission import Item
    from sg_common.results import Result


def add_submit_arguments(parser: argparse.ArgumentParser, services: Sequence[AnalyzerService]) -> None:
    parser.add_argument("objects", nargs="+", metavar="s3://BUCKET/KEY", help="an object, or all below KEY/")
    for service in services:
        name = f"SG_{service.kind.upper()}_QUEUE_URL"
        parser.add_argument(
            f"--{service.kind}-queue",
            metavar="URL",
            default=os.environ.get(name),
            help=f"{service.kind} workers' queue (${name})",
        )
    parser.add_argument("--wait", action="store_true", help="wait for the results and show them")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="longest wait (default: 900)")
    parser.add_argument("--again", action="store_true", help="also what has a result: for a new model version")
    parser.add_argument("--json", action="store_true", help="print one JSON object a result instead of a table")
    parser.add_argument("--results-prefix", default=os.environ.get("SG_RESULTS_PREFIX", "results/"), metavar="PREFIX")
    add_options(parser)
    parser.epilog = (
        "Exit status: 0 when everything was sent (and, with --wait, answered), 2 when an object failed, is missing "
        "or was not answered in time, 78 when AWS's variables or a queue's address cannot work."
    )


def run_submit(services: Sequence[AnalyzerService], options: argparse.Namespace) -> int:
    """Send what has no result yet; with `--wait`, show every result. The exit status.

    Raises:
        ServiceError: an address is wrong, or the store or a queue does not answer.
        SettingsError: AWS's variables or a queue's address cannot work.
    """
    if bad := [address for address in options.objects if not address.startswith("s3://")]:
        raise MalformedRequest(f"{bad[0]}: name objects as s3://BUCKET/KEY, or a folder as s3://BUCKET/KEY/")
    given = {service.kind: getattr(options, f"{service.kind}_queue") for service in services}
    queues = {kind: url for kind, url in given.items() if url}
    if not queues:
        raise MalformedRequest(f"name a queue with {' or '.join(f'--{kind}-queue' for kind in given)}")
    # The AWS SDK is loaded only where it is used: judging local files starts faster without it.
    from sg_common.cli.submission import Submission  # noqa: PLC0415

    chosen = chosen_options(options)
    submission = Submission(queues, options.results_prefix)
    items = submission.items(options.objects, {service.kind: service.heeded(chosen) for service in services})
    if not items:
        raise NotFound("no object was found")
    for item in items:
        if options.again:
            submission.disregard_known(item)
        submission.look(item)
    unsent = [item for item in items if item.result is None]
    submission.send(unsent)
    print(f"{len(unsent)} sent, {len(items) - len(unsent)} had a result already", file=sys.stderr)
    if options.wait:
        try:
            submission.wait(unsent, options.timeout, lambda count: _show_progress(count, len(unsent)))
        except KeyboardInterrupt:
            print("\nthe messages stay in the queue; the same command shows their results later", file=sys.stderr)
            raise
    shown = items if options.wait else [item for item in items if item.result is not None]
    _print_json(shown) if options.json else _print_table(shown)
    return ExitStatus.REFUSED if any(map(_failed, shown)) else ExitStatus.DONE


def _failed(item: Item) -> bool:
    return item.result is None or item.result.problem is not None


def _show_progress(count: int, total: int) -> None:
    if sys.stderr.isatty():
        text = f"\r{count} of {total} answered\x1b[K" if count < total else "\r\x1b[K"
        print(text, end="", file=sys.stderr, flush=True)


def _print_table(items: Sequence[Item]) -> None:
    rows = [(item.name, item.kind, *_cells(item.result)) for item in items]
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        say("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]).rstrip())
    bad = [item for item in items if _failed(item)]
    print(f"\n{len(items) - len(bad)} answered, {len(bad)} failed or not answered", file=sys.stderr)
    for item in bad:
        reason = "no answer in time" if item.result is None else item.result.message
        print(f"  {item.name} ({item.kind}): {reason}", file=sys.stderr)


def _cells(result: Result | None) -> tuple[str, str]:
    """What the table says of a result: a word, and its number or reason."""
    if result is None:
        return "no answer", ""
    if result.status != "success":
        return result.status.replace("_", " "), result.message or ""
    return result.verdict.replace("_", " "), f"{result.probability:.0%}"


def _print_json(items: Iterable[Item]) -> None:
    for item in items:
        result = None if item.result is None else item.result.document()
        say_json({"object": item.name, "kind": item.kind, "result": result})

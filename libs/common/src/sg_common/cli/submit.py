"""`submit`: send objects of a bucket to the workers' queues, and show their answers."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sg_common.cli.arguments import add_sample_rate
from sg_common.errors import ServiceError

if TYPE_CHECKING:
    from sg_common.cli.submission import Item, Submission

EXIT_UNANSWERED = 2
_KINDS = ("audio", "video")
_POLL_SECONDS = 2.0


def add_submit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("objects", nargs="+", metavar="s3://BUCKET/KEY", help="an object, or all below KEY/")
    for kind in _KINDS:
        name = f"SG_{kind.upper()}_QUEUE_URL"
        parser.add_argument(
            f"--{kind}-queue", metavar="URL", default=os.environ.get(name), help=f"{kind} workers' queue (${name})"
        )
    parser.add_argument("--wait", action="store_true", help="wait for the results and show them")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="longest wait (default: 900)")
    parser.add_argument("--again", action="store_true", help="also what has a result: for a new model version")
    parser.add_argument("--json", action="store_true", help="print one JSON object a result instead of a table")
    parser.add_argument("--results-prefix", default=os.environ.get("SG_RESULTS_PREFIX", "results/"), metavar="PREFIX")
    add_sample_rate(parser)
    parser.epilog = (
        "Exit status: 0 when everything was sent (and, with --wait, answered), 2 when an object failed, is missing "
        "or was not answered in time."
    )


def run_submit(options: argparse.Namespace) -> int:
    """Send what has no result yet; with `--wait`, show every result. The exit status."""
    if bad := [address for address in options.objects if not address.startswith("s3://")]:
        return _stop(f"{bad[0]}: name objects as s3://BUCKET/KEY, or a folder as s3://BUCKET/KEY/")
    # The AWS SDK is loaded only where it is used: judging local files starts faster without it.
    from sg_common.cli.submission import Submission  # noqa: PLC0415

    try:
        submission = Submission(options)
        if not submission.queues:
            return _stop("name a queue with --audio-queue or --video-queue")
        items = submission.items()
        for item in items:
            if options.again:
                item.known = submission.answered_by(item)
            submission.look(item)
        unsent = [item for item in items if item.result is None]
        submission.send(unsent)
        print(f"{len(unsent)} sent, {len(items) - len(unsent)} had a result already", file=sys.stderr)
        if not items:
            return _stop("no object was found")
        if options.wait:
            _wait(submission, unsent, options.timeout)
    except ServiceError as error:
        return _stop(str(error))
    except KeyboardInterrupt:
        print("\nthe messages stay in the queue; run the same command again to see their results", file=sys.stderr)
        return 130
    shown = items if options.wait else [item for item in items if item.result is not None]
    _print_json(shown) if options.json else _print_table(shown)
    failed = any(item.result is None or item.result["status"] == "failed" for item in shown)
    return EXIT_UNANSWERED if failed else 0


def _wait(submission: Submission, items: Sequence[Item], timeout: float) -> None:
    end = time.monotonic() + timeout
    open_items = list(items)
    while open_items and time.monotonic() < end:
        for item in open_items:
            submission.look(item)
        open_items = [item for item in open_items if item.result is None]
        if sys.stderr.isatty():
            print(
                f"\r{len(items) - len(open_items)} of {len(items)} answered\x1b[K", end="", file=sys.stderr, flush=True
            )
        if open_items:
            time.sleep(min(_POLL_SECONDS, max(0.0, end - time.monotonic())))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print_table(items: Sequence[Item]) -> None:
    rows = [(item.name, item.kind, *_cells(item.result)) for item in items]
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]).rstrip())
    bad = [item for item in items if item.result is None or item.result["status"] == "failed"]
    print(f"\n{len(items) - len(bad)} answered, {len(bad)} failed or not answered", file=sys.stderr)
    for item in bad:
        reason = "no answer in time" if item.result is None else item.result["message"]
        print(f"  {item.name} ({item.kind}): {reason}", file=sys.stderr)


def _cells(result: dict[str, Any] | None) -> tuple[str, str]:
    """What the table says of a result: a word, and its number or reason."""
    if result is None:
        return "no answer", ""
    if result["status"] != "success":
        return result["status"].replace("_", " "), result.get("message") or ""
    score = next((result[name] for name in result if name.endswith("_probability")), None)
    return result["verdict"].replace("_", " "), "" if score is None else f"{score:.0%}"


def _print_json(items: Iterable[Item]) -> None:
    for item in items:
        print(json.dumps({"object": item.name, "kind": item.kind, "result": item.result}))


def _stop(sentence: str) -> int:
    print(f"silver-guardian: {sentence}", file=sys.stderr)
    return EXIT_UNANSWERED

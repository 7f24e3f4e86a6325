"""What a command prints: to standard output, for as long as somebody reads it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class OutputClosed(Exception):
    """Nobody reads on, as with `| head`: there is nothing left to do."""


def say(text: str) -> None:
    """Print a line.

    Raises:
        OutputClosed: its reader has left.
    """
    with _read_on():
        # A file's name may be no text: its odd bytes must not end the command.
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def say_json(document: object) -> None:
    """Print a JSON document as a line of UTF-8, whatever the terminal's encoding (RFC 8259), with names as they are.

    Raises:
        OutputClosed: its reader has left.
    """
    # What is no Unicode in a file's name (a lone surrogate) becomes JSON's own escape.
    line = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    with _read_on():
        sys.stdout.flush()
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


@contextmanager
def _read_on() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        # What is still buffered would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputClosed from error

"""The campaign's messages, and how each must end."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_plus


class End(StrEnum):
    """Where a message must end: in a result with that status, or among the dead letters."""

    JUDGED = "success"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    DEAD = "dead"


@dataclass(frozen=True)
class Case:
    """One message.

    Attributes:
        body: the message's text.
        key, data: the object that it names; None where there is none.
        copies: how often the message is sent.
    """

    body: str
    end: End
    key: str | None = None
    data: bytes = b""
    copies: int = 1


_RARE: list[tuple[str, End]] = [
    ("broken", End.FAILED),
    ("text", End.FAILED),
    ("silent", End.NOT_APPLICABLE),
    ("long", End.JUDGED),
    ("bug", End.DEAD),
    ("malformed", End.DEAD),
    ("missing", End.DEAD),
    ("foreign", End.DEAD),
]
_RARE_EVERY = 7
_FATAL_EVERY = 700
_COPIES_SHARE = 0.1
_MAX_BYTES = 200_000
_NAMES = ("clip {n}.mp4", "할머니+전화 {n}.m4a", "a&b=c;{n}%20.wav", "plain-{n}.mp3")


def make_cases(count: int, bucket: str, seed: int) -> Iterator[Case]:
    """`count` cases: mostly good files, and every kind of trouble at least once from 60 cases on."""
    chance = random.Random(seed)
    for number in range(count):
        if number % _FATAL_EVERY == _FATAL_EVERY // 20:
            kind, end = "fatal", End.DEAD
        elif number % _RARE_EVERY == 0:
            kind, end = _RARE[number // _RARE_EVERY % len(_RARE)]
        else:
            kind, end = "fine", End.JUDGED
        yield _case(number, kind, end, bucket, chance)


def media_cases(count: int, bucket: str, clips: list[bytes], seed: int) -> Iterator[Case]:
    """Cases for a real analyzer: the given clips over and over, cut-off clips and dead letters."""
    chance = random.Random(seed)
    for number in range(count):
        key = _key(number)
        match number % 20:
            case 7:
                yield Case(_message(bucket, key, chance), End.FAILED, key, chance.randbytes(5000))
            case 13:
                yield Case(f"malformed {number}", End.DEAD)
            case _:
                clip = clips[number % len(clips)]
                yield Case(_message(bucket, key, chance), End.JUDGED, key, clip, copies=_copies(chance))


def _case(number: int, kind: str, end: End, bucket: str, chance: random.Random) -> Case:
    key = _key(number)
    if kind == "malformed":
        return Case(f'{{"s3_bucket": "{bucket}", "number": {number}', end)
    if kind == "missing":
        return Case(json.dumps({"s3_bucket": bucket, "s3_key": f"missing/{number}"}), end)
    if kind == "foreign":
        return Case(json.dumps({"s3_bucket": "of-another", "s3_key": key}), end)
    head = b"" if kind == "text" else b"MEDIA" + kind.encode() + b" "
    data = head + f"{number} ".encode() + chance.randbytes(int(_MAX_BYTES * chance.random() ** 4))
    copies = _copies(chance) if end is not End.DEAD else 1
    return Case(_message(bucket, key, chance), end, key, data, copies)


def _key(number: int) -> str:
    return "uploads/" + _NAMES[number % len(_NAMES)].format(n=number)


def _copies(chance: random.Random) -> int:
    return chance.choice((2, 3)) if chance.random() < _COPIES_SHARE else 1


def _message(bucket: str, key: str, chance: random.Random) -> str:
    """The key in one of the three shapes."""
    shapes: list[Callable[[], object]] = [
        lambda: {"s3_bucket": bucket, "s3_key": key},
        lambda: {
            "Records": [
                {
                    "eventSource": "aws:s3",
                    "eventName": "ObjectCreated:Put",
                    "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}},
                }
            ]
        },
        lambda: {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        },
    ]
    return json.dumps(chance.choice(shapes)())

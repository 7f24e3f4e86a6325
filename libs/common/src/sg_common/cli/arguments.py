"""Arguments that several verbs have."""

from __future__ import annotations

import argparse


def add_sample_rate(parser: argparse.ArgumentParser) -> None:
    """`--sample-rate N`, at least 1."""
    parser.add_argument(
        "--sample-rate", type=_positive, metavar="N", help="video: analyse exactly one frame in N (default: a budget)"
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value

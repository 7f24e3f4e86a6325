"""Arguments that several verbs have."""

from __future__ import annotations

import argparse

from sg_common.errors import InvalidOption
from sg_common.sources.request import read_options


def add_sample_rate(parser: argparse.ArgumentParser) -> None:
    """`--sample-rate N`, at least 1."""
    parser.add_argument(
        "--sample-rate",
        type=_sample_rate,
        metavar="N",
        help="of pictures: analyse exactly one in N (default: a budget)",
    )


def _sample_rate(text: str) -> int | None:
    try:
        return read_options({"sample_rate": text}).sample_rate
    except InvalidOption as error:
        raise argparse.ArgumentTypeError(error.detail) from error

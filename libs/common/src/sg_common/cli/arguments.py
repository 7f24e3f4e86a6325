"""Arguments that several verbs have, and those of verbs whose modules load what only they need."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from sg_common.analysis import AnalysisOptions
from sg_common.errors import InvalidOption
from sg_common.sources.request import read_asked
from sg_common.verdict import DEFAULT_POLICY, Policy
from sg_common.words.languages import LANGUAGES


def add_version(parser: argparse.ArgumentParser, text: str) -> None:
    """`--version`."""
    parser.add_argument("--version", action="version", version=text, help="print the version and exit")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of an analysis: `--sample-rate N`, `--policy POLICY`. `chosen_options` reads them."""
    parser.add_argument(
        "--sample-rate",
        type=_sample_rate,
        metavar="N",
        help="of pictures: analyse exactly one in N (default: a budget)",
    )
    parser.add_argument(
        "--policy",
        choices=get_args(Policy),
        help=f"the operating point that verdicts are given at (default: {DEFAULT_POLICY})",
    )


def chosen_options(arguments: argparse.Namespace) -> AnalysisOptions:
    """What was chosen of the options."""
    given = {name: getattr(arguments, name, None) for name in AnalysisOptions.model_fields}
    return AnalysisOptions.model_validate({name: value for name, value in given.items() if value is not None})


def _sample_rate(text: str) -> int | None:
    try:
        return read_asked({"sample_rate": text}).sample_rate
    except InvalidOption as error:
        raise argparse.ArgumentTypeError(error.detail) from error


def add_lang(parser: argparse.ArgumentParser) -> None:
    """`--lang`: a language that we speak."""
    parser.add_argument(
        "--lang", choices=LANGUAGES, help="the language of the answer's sentences (default: the terminal's)"
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """The verbs of `model`."""
    verbs = parser.add_subparsers(dest="model_verb", required=True, metavar="{check,inspect}")
    for name, text in (
        ("check", "check every file of a bundle, and run its golden input by every variant that this CPU can run"),
        ("inspect", "what a bundle is, which variant this CPU runs, its thresholds, and what a row costs"),
    ):
        verbs.add_parser(name, help=text, description=text).add_argument(
            "directory", type=Path, metavar="DIR", help="the bundle's folder, which holds model.json"
        )

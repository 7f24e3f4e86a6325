"""What every command of a trainer takes: corpora, a recipe, a folder for what is made on the way, a bundle."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from training.common.paths import cache_folder

Run = Callable[[argparse.Namespace], None]


class Commands:
    """The commands of a trainer, `python -m training.AREA COMMAND`; each is a function of its options."""

    def __init__(self, area: str, recipe: Path) -> None:
        self._area, self._recipe = area, recipe
        self._parser = argparse.ArgumentParser(prog=f"python -m training.{area}")
        self._commands = self._parser.add_subparsers(required=True, metavar="COMMAND")

    def add(self, run: Run, *, bundle: bool = False) -> argparse.ArgumentParser:
        """Add a command that is named and described as its function; returns its parser for further options."""
        text = (run.__doc__ or "").strip()
        parser = self._commands.add_parser(
            run.__name__.replace("_", "-"),
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--data", type=Path, action="append", required=True, help="a folder with a manifest.tsv; repeatable"
        )
        parser.add_argument("--recipe", type=Path, default=self._recipe, help=f"default: {self._recipe.name}")
        parser.add_argument(
            "--work", type=Path, default=cache_folder(self._area), help="folder for what is made on the way"
        )
        if bundle:
            parser.add_argument("--bundle", type=Path, required=True, help="folder of the bundle")
        parser.set_defaults(run=run)
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run what the command line names."""
        options = self._parser.parse_args(arguments)
        options.run(options)


def log(text: str) -> None:
    """A line with the time, at once."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

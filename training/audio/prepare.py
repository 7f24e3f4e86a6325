"""Read the manifests and make the pool of clean and degraded training clips.

python -m training.audio.prepare --data ../shared/data/audio [--data my_corpus]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.audio import config, pool
from training.common.manifest import read_manifest
from training.common.paths import cache_folder


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Options that every command of the audio trainer has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="a folder with a manifest.tsv; repeatable"
    )
    parser.add_argument("--config", type=Path, default=config.DEFAULT)
    parser.add_argument("--work", type=Path, default=None, help="folder for the pool, checkpoints and scores")
    return parser


def work_folder(options: argparse.Namespace) -> Path:
    """The folder that holds what the commands make."""
    return options.work or cache_folder("audio")


def shard_folder(work: Path, corpus: Path) -> Path:
    """Where the pool of one corpus lies."""
    return work / "pool" / corpus.resolve().name


def open_pool(options: argparse.Namespace) -> pool.Pool:
    """The finished pool of all corpora of the command line."""
    work = work_folder(options)
    return pool.Pool([pool.load(read_manifest(c / "manifest.tsv"), shard_folder(work, c)) for c in options.data])


def main() -> None:
    """Make or complete the pool."""
    options = arguments(__doc__).parse_args()
    settings = config.load(options.config)
    for corpus in options.data:
        samples = read_manifest(corpus / "manifest.tsv")
        folder = shard_folder(work_folder(options), corpus)
        pool.build(samples, folder, settings.prepare, settings.seed)


if __name__ == "__main__":
    main()

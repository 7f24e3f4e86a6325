"""Read the manifests and measure the features of every clip and of its varied copies.

python -m training.audio.prepare --data ../shared/data/audio [--data my_corpus] [--workers 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.audio import config
from training.audio.frontend import RESOLUTIONS, ModulationSpectrum
from training.audio.pool import Corpus, Pool
from training.audio.waveforms import repeat_to
from training.common.manifest import read_manifest
from training.common.paths import cache_folder, key_of

BATCH = 16


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Options that every command of the audio trainer has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="a folder with a manifest.tsv; repeatable"
    )
    parser.add_argument("--config", type=Path, default=config.DEFAULT)
    parser.add_argument("--work", type=Path, default=None, help="folder for features, checkpoints and scores")
    return parser


def work_folder(options: argparse.Namespace) -> Path:
    """The folder that holds what the commands make."""
    return options.work or cache_folder("audio")


def open_pool(options: argparse.Namespace) -> Pool:
    """The pool of all corpora of the command line."""
    settings = config.load(options.config)
    return Pool([Corpus(read_manifest(c / "manifest.tsv"), settings.prepare, settings.seed) for c in options.data])


def log(text: str) -> None:
    """A line with the time, at once."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def features_path(work: Path, corpus: Corpus, copy: int) -> Path:
    """Where the features of one copy of a corpus lie."""
    return work / "features" / f"modspec_{key_of(RESOLUTIONS, corpus.key(copy))}.npy"


def measure(corpus: Corpus, copy: int, path: Path) -> None:
    """Write the features (N, size) of one copy of every clip."""
    torch.set_num_threads(1)
    front = ModulationSpectrum()
    parts = []
    for start in range(0, len(corpus.samples), BATCH):
        rows = range(start, min(start + BATCH, len(corpus.samples)))
        batch = np.stack([repeat_to(corpus.clip(i, copy)) for i in rows])
        with torch.no_grad():
            parts.append(front(torch.from_numpy(batch)).numpy())
    partial = path.with_suffix(".part.npy")
    np.save(partial, np.concatenate(parts).astype(np.float32))
    partial.rename(path)


def load_features(pool: Pool, work: Path) -> NDArray[np.float32]:
    """Features of every clip and copy, (copies + 1, N, size). Raises FileNotFoundError when some are not measured."""
    paths = [[features_path(work, corpus, copy) for corpus in pool.corpora] for copy in range(pool.copies + 1)]
    if missing := sum(not path.exists() for row in paths for path in row):
        raise FileNotFoundError(f"{missing} copies are not measured yet: run training.audio.prepare first")
    return np.stack([np.concatenate([np.load(path) for path in row]) for row in paths])


def main() -> None:
    """Measure what is missing."""
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all processors)")
    options = parser.parse_args()
    pool, work = open_pool(options), work_folder(options)
    (work / "features").mkdir(parents=True, exist_ok=True)
    todo = [
        (corpus, copy, path)
        for copy in range(pool.copies + 1)
        for corpus in pool.corpora
        if not (path := features_path(work, corpus, copy)).exists()
    ]
    log(f"{len(todo)} copies of corpora to measure")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(options.workers, len(todo))), mp_context=spawning) as workers:
        running = {workers.submit(measure, *one): one for one in todo}
        for number, done in enumerate(as_completed(running), start=1):
            done.result()
            corpus, copy, _ = running[done]
            log(f"{number} of {len(todo)}: copy {copy} of {len(corpus.samples)} clips")


if __name__ == "__main__":
    main()

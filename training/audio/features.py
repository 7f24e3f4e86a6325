"""The features of every clip and of its varied copies, kept by what decides them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.audio.frontend import RESOLUTIONS, ModulationSpectrum
from training.audio.pool import Corpus, Pool
from training.audio.waveforms import repeat_to
from training.common.command import log
from training.common.content import kept, key_of

BATCH = 16


def features_path(work: Path, corpus: Corpus, copy: int) -> Path:
    """Where the features of one copy of a corpus lie."""
    return work / "features" / f"modspec_{key_of(RESOLUTIONS, corpus.key(copy))}.npy"


def measure(corpus: Corpus, copy: int, path: Path) -> None:
    """Write the features (N, size) of one copy of every clip."""
    torch.set_num_threads(1)
    front = ModulationSpectrum()

    def parts(start: int) -> NDArray[np.float32]:
        rows = range(start, min(start + BATCH, len(corpus.samples)))
        batch = np.stack([repeat_to(corpus.clip(i, copy)) for i in rows])
        with torch.no_grad():
            return np.asarray(front(torch.from_numpy(batch)).numpy(), np.float32)

    kept(path, lambda: np.concatenate([parts(start) for start in range(0, len(corpus.samples), BATCH)]))


def load_features(pool: Pool, work: Path) -> NDArray[np.float32]:
    """Features of every clip and copy, (copies + 1, N, size). Raises FileNotFoundError when some are not measured."""
    paths = [[features_path(work, corpus, copy) for corpus in pool.corpora] for copy in range(pool.copies + 1)]
    if missing := sum(not path.exists() for row in paths for path in row):
        raise FileNotFoundError(f"{missing} copies are not measured yet: run prepare first")
    return np.stack([np.concatenate([np.load(path) for path in row]) for row in paths])


def measure_missing(pool: Pool, work: Path, workers: int) -> None:
    """Measure the copies that are not kept yet, each in a process of its own."""
    todo = [
        (corpus, copy, path)
        for copy in range(pool.copies + 1)
        for corpus in pool.corpora
        if not (path := features_path(work, corpus, copy)).exists()
    ]
    log(f"{len(todo)} copies of corpora to measure")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(workers, len(todo))), mp_context=spawning) as processes:
        running = {processes.submit(measure, *one): one for one in todo}
        for number, done in enumerate(as_completed(running), start=1):
            done.result()
            corpus, copy, _ = running[done]
            log(f"{number} of {len(todo)}: copy {copy} of {len(corpus.samples)} clips")

"""The features of every clip and of its varied copies, kept by what decides them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.audio.front import Front
from training.audio.frontend import RESOLUTIONS
from training.audio.graphs import write_graph
from training.audio.pool import Corpus, Pool
from training.audio.waveforms import repeat_to
from training.common.bundle import session
from training.common.command import log
from training.common.content import digest, kept, key_of

BATCH = 8


def front_graph(work: Path, speaker: Path) -> Path:
    """The front end as the shipped graph holds it: twice as fast as the network that it is exported from."""
    path = work / "features" / f"front_{key_of(RESOLUTIONS, digest(speaker))}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_graph(Front(speaker), part := path.with_suffix(".part"), ["features"])
        part.replace(path)
    return path


def features_path(front: Path, corpus: Corpus, copy: int) -> Path:
    """Where the features of one copy of a corpus lie."""
    return front.with_name(f"{front.stem}_{corpus.key(copy)}.npy")


def measure(corpus: Corpus, copy: int, front: Path) -> None:
    """Write the features (N, size) of one copy of every clip."""

    def run() -> NDArray[np.float16]:
        graph, parts = session(front), []
        for start in range(0, len(corpus.samples), BATCH):
            rows = range(start, min(start + BATCH, len(corpus.samples)))
            batch = np.stack([repeat_to(corpus.clip(i, copy)) for i in rows])
            parts.append(graph.run(None, {"waveform": batch})[0].astype(np.float16))
        return np.concatenate(parts)

    kept(features_path(front, corpus, copy), run)


def load_features(pool: Pool, front: Path) -> NDArray[np.float16]:
    """Features of every clip and copy, (copies + 1, N, size). Raises FileNotFoundError when some are not measured."""
    paths = [[features_path(front, corpus, copy) for corpus in pool.corpora] for copy in range(pool.copies + 1)]
    if missing := sum(not path.exists() for row in paths for path in row):
        raise FileNotFoundError(f"{missing} copies are not measured yet: run prepare first")
    return np.stack([np.concatenate([np.load(path) for path in row]) for row in paths])


def measure_missing(pool: Pool, front: Path, workers: int) -> None:
    """Measure the copies that are not kept yet, each in a process of its own."""
    todo = [
        (corpus, copy)
        for copy in range(pool.copies + 1)
        for corpus in pool.corpora
        if not features_path(front, corpus, copy).exists()
    ]
    log(f"{len(todo)} copies of corpora to measure")
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(workers, len(todo))), mp_context=spawning) as processes:
        running = {processes.submit(measure, corpus, copy, front): (corpus, copy) for corpus, copy in todo}
        for number, done in enumerate(as_completed(running), start=1):
            done.result()
            corpus, copy = running[done]
            log(f"{number} of {len(todo)}: copy {copy} of {len(corpus.samples)} clips")

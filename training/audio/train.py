"""Train the members of the detector: for every fold, networks that never saw it.

    python -m training.audio.train --data ../shared/data/audio [--model cnn] [--fold 3]

Run it again after an interruption: what is finished is kept, what was begun goes on.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from training.audio import config, train_cnn, train_modspec
from training.audio.prepare import arguments, open_pool, work_folder

MODELS = ("modspec", "cnn")


def checkpoint_path(work: Path, model: str, fold: int) -> Path:
    """Where the networks of one kind and held-out fold lie."""
    return work / "checkpoints" / f"{model}_fold{fold}.pt"


def log(text: str) -> None:
    """A line with the time, at once."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Train what is asked for and not there yet."""
    parser = arguments(__doc__)
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--fold", type=int, action="append")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = config.load(options.config)
    pool = open_pool(options)
    work = work_folder(options)
    (work / "checkpoints").mkdir(exist_ok=True)
    folds = options.fold or sorted({s.fold for s in pool.samples})
    for model in options.model or MODELS:
        features = train_modspec.pool_features(pool, work / "features", log) if model == "modspec" else None
        for fold in folds:
            path = checkpoint_path(work, model, fold)
            if features is not None:
                train_modspec.train(pool, features, fold, settings, path)
            else:
                train_cnn.train(pool, fold, settings, path, log)
            log(f"{model} fold {fold}: done")


if __name__ == "__main__":
    main()

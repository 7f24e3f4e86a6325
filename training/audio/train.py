"""Train the members of the detector: for every fold, networks that never saw it.

    python -m training.audio.train --data ../shared/data/audio [--fold 3]

Run it again after an interruption: finished folds are kept, until the configuration or the clips change.
"""

from __future__ import annotations

from pathlib import Path

import torch

from training.audio import config, train_modspec
from training.audio.pool import Pool
from training.audio.prepare import arguments, load_features, log, open_pool, work_folder
from training.common.paths import key_of


def checkpoints(work: Path, pool: Pool, settings: config.Config) -> Path:
    """The folder of the folds' members: another one for another recipe or other clips."""
    recipe = (settings.seed, settings.prepare, settings.left_out_families, settings.modspec)
    return work / "checkpoints" / key_of(recipe, [corpus.key(0) for corpus in pool.corpora])


def checkpoint_path(folder: Path, fold: int) -> Path:
    """Where the members of one held-out fold lie."""
    return folder / f"mixture_fold{fold}.pt"


def main() -> None:
    """Train what is asked for and not there yet."""
    parser = arguments(__doc__)
    parser.add_argument("--fold", type=int, action="append")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = config.load(options.config)
    pool = open_pool(options)
    work = work_folder(options)
    features = load_features(pool, work)
    folder = checkpoints(work, pool, settings)
    folder.mkdir(parents=True, exist_ok=True)
    for fold in options.fold or sorted({s.fold for s in pool.samples if s.fold >= 0}):
        train_modspec.train(pool, features, fold, settings, checkpoint_path(folder, fold))
        log(f"fold {fold}: done")


if __name__ == "__main__":
    main()

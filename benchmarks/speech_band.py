"""Where the limit of the band comes from: genuine and synthetic speech of the training corpus, and the same at 4 kHz.

python -m benchmarks.speech_band [--data ../shared/data/audio] [--clips 4000]
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

import numpy as np
from audio_analyzer.quality import NARROW_BAND_DB, BandMeter
from audio_analyzer.speech import Samples
from scipy.signal import resample_poly
from sg_common.analysis import Job
from sg_common.media import DecodeLimits, open_audio

RATE = 16000


def band_db(samples: Samples) -> float:
    meter = BandMeter(RATE)
    meter.add(samples)
    return meter.band_db()


def at_4_khz(samples: Samples) -> Samples:
    return np.asarray(resample_poly(resample_poly(samples, 1, 4), 4, 1), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/audio"))
    parser.add_argument("--clips", type=int, default=4000, help="most clips of each label")
    arguments = parser.parse_args()
    with (arguments.data / "manifest.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    random.Random(1).shuffle(rows)
    for label in ("real", "fake"):
        chosen = [row for row in rows if row["label"] == label][: arguments.clips]
        plain, narrow = [], []
        for row in chosen:
            with open_audio(
                arguments.data / row["path"], sample_rate=RATE, limits=DecodeLimits(), job=Job(60)
            ) as reader:
                samples = np.concatenate([block.mean(axis=0) for block in reader])
            plain.append(band_db(samples))
            narrow.append(band_db(at_4_khz(samples)))
        low, high = np.array(plain), np.array(narrow)
        under, over = int((low < NARROW_BAND_DB).sum()), int((high >= NARROW_BAND_DB).sum())
        print(f"{label}: {len(chosen)} clips, limit {NARROW_BAND_DB:g} dB")
        print(f"  as they are: least {low.min():.1f} dB, 1% {np.quantile(low, 0.01):.1f}; under it {under}")
        print(f"  from 4 kHz: most {high.max():.1f} dB, 99% {np.quantile(high, 0.99):.1f}; over it {over}")


if __name__ == "__main__":
    main()

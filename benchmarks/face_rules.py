"""Where the limits of tracking and of the quality gates come from: figures on the training corpus.

    python -m benchmarks.face_rules [--data ../shared/data/video]

The corpus holds face crops some half a second apart (see its README). They are put into drawn rooms, so that a change
of room is a cut.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from video_analyzer.detector import Face, FaceDetector
from video_analyzer.quality import Flaw, QualityGates, grey_face, sharpness
from video_analyzer.settings import VideoSettings
from video_analyzer.tracks import Tracker, appearance

from testbed.faces import Pixels, backdrop

CROP_SCALE = 1.75
WIDTH, HEIGHT = 640, 400
PAIRS = 200

Row = dict[str, str]


class Corpus:
    """The genuine video frames, by clip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with (folder / "manifest.tsv").open(encoding="utf-8") as file:
            self.real = [row for row in csv.DictReader(file, delimiter="\t") if row["label"] == "real"]
        clips: dict[str, list[Row]] = defaultdict(list)
        for row in self.real:
            if row["kind"] == "video-frame":
                clips[re.sub(r"_\d+\.jpg$", "", row["path"])].append(row)
        self.clips = [sorted(rows, key=lambda row: row["path"])[:6] for rows in clips.values() if len(rows) >= 5]

    def crop(self, row: Row) -> tuple[Pixels, Face]:
        """A crop and the face in it."""
        bgr = cv2.imread(str(self._folder / row["path"]))
        if bgr is None:
            raise FileNotFoundError(row["path"])
        height, width = bgr.shape[:2]
        side = max(height, width) / CROP_SCALE
        return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8), Face(
            (width - side) / 2, (height - side) / 2, side, side, 1
        )

    def frame(self, row: Row, room: int) -> tuple[Pixels, Face]:
        """The crop in the middle of a room."""
        rgb, face = self.crop(row)
        height, width = rgb.shape[:2]
        left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
        canvas = backdrop(WIDTH, HEIGHT, room).copy()
        canvas[top : top + height, left : left + width] = rgb
        return canvas, Face(face.x + left, face.y + top, face.width, face.height, 1)

    def pairs(self) -> list[tuple[list[Row], list[Row]]]:
        """Clips of two people from different sources."""
        draw = random.Random(0)
        pairs = (draw.sample(self.clips, 2) for _ in range(PAIRS))
        return [(a, b) for a, b in pairs if a[0]["method_or_source"] != b[0]["method_or_source"]]


def similarities(corpus: Corpus) -> None:
    looks = [[appearance(*corpus.crop(row)) for row in clip] for clip in corpus.clips]
    sources = [clip[0]["method_or_source"] for clip in corpus.clips]
    same = [float(a @ b) for clip in looks for a, b in pairwise(clip)]
    other = [float(looks[i][0] @ looks[j][0]) for i in range(len(looks)) for j in range(i) if sources[i] != sources[j]]
    print("similarity of neighbouring frames of one person, 5%:", round(float(np.quantile(same, 0.05)), 3))
    print("similarity of people of different sources, 95%, 99.9%:", np.quantile(other, [0.95, 0.999]).round(3))


def tracking(corpus: Corpus) -> None:
    for gap in (0.5, 8.0):
        counts: Counter[int] = Counter()
        for clip in corpus.clips:
            tracker = Tracker()
            for index, row in enumerate(clip):
                rgb, face = corpus.frame(row, 1)
                tracker.update(rgb, index * gap, [face], 1.0)
            counts[len(tracker.tracks)] += 1
        print(f"one person in frames {gap:g} s apart, clips by tracks:", dict(sorted(counts.items())))
    counts, merged, unnoticed = Counter(), 0, 0
    for a, b in corpus.pairs():
        numbers: tuple[set[int], set[int]] = (set(), set())
        tracker = Tracker()
        shots = [(0, a[0]), (0, a[1]), (1, b[0]), (1, b[1]), (0, a[2]), (0, a[3]), (1, b[2]), (1, b[3])]
        for index, (who, row) in enumerate(shots):
            rgb, face = corpus.frame(row, who)
            numbers[who].update(t.number for t in tracker.update(rgb, index / 2, [face], 1.0) if t)
        counts[len(tracker.tracks)] += 1
        merged += bool(numbers[0] & numbers[1])
        tracker = Tracker()
        for index, row in enumerate((a[0], b[0])):
            rgb, face = corpus.frame(row, 1)
            tracker.update(rgb, index / 2, [face], 1.0)
        unnoticed += len(tracker.tracks) == 1
    print(f"two people in turn with cuts, {counts.total()} pairs by tracks:", dict(sorted(counts.items())), end="; ")
    print(f"{merged} merged; {unnoticed} merged by a cut within the same room")


def gates(corpus: Corpus) -> None:
    limits = QualityGates(min_face_pixels=1)
    flaws: Counter[Flaw | None] = Counter()
    sharp: dict[float, list[float]] = defaultdict(list)
    for row in corpus.real:
        rgb, face = corpus.crop(row)
        flaws[limits.check(rgb, face, 1.0)] += 1
        inner = rgb[int(face.y) : int(face.y + face.height), int(face.x) : int(face.x + face.width)]
        for blur in (0.01, 0.02, 0.03):
            blurred = np.asarray(cv2.GaussianBlur(inner, (0, 0), blur * face.width), np.uint8)
            sharp[blur].append(sharpness(grey_face(blurred)))
    named = {("judged" if flaw is None else flaw.value): count for flaw, count in flaws.items()}
    print("gates on genuine crops:", named)
    for blur, values in sharp.items():
        share = float(np.mean(np.array(values) < limits.min_sharpness))
        print(f"gated after a blur of {blur:.0%} of the face's side: {share:.1%}")


def confidence(corpus: Corpus) -> None:
    settings = VideoSettings()
    detector = FaceDetector.load(settings.bundle_dir("face_detector"), settings.runtime())
    found = [detector.detect(corpus.frame(row, 1)[0]) for clip in corpus.clips for row in clip[:2]]
    scores = np.array([faces[0].score if faces else 0.0 for faces in found])
    print(f"detector's confidence on {scores.size} genuine frames: missed {np.mean(scores == 0):.1%}", end=", ")
    print(f"under {Tracker().rules.start_confidence}: {np.mean(scores < Tracker().rules.start_confidence):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/video"))
    corpus = Corpus(parser.parse_args().data)
    for part in (similarities, tracking, gates, confidence):
        part(corpus)


if __name__ == "__main__":
    main()

"""Where the limits of `video_analyzer.motion` come from: genuine clips and moved photographs.

    python -m benchmarks.face_motion [--data ../shared/data] [--clips 1000]

Residual: the second largest of a clip's, as two frames must show a movement. Travel: the largest.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from video_analyzer.detector import Face, FaceDetector, largest
from video_analyzer.motion import LEAST_TRAVEL, MOVES, Alignment, travel
from video_analyzer.quality import grey_face, inner
from video_analyzer.settings import VideoSettings

Pixels = npt.NDArray[np.uint8]
FRAMES = 8
PHOTOGRAPHS = 60
SIDE = 224


def frames(source: Path | io.BytesIO) -> list[Pixels]:
    with av.open(source if isinstance(source, io.BytesIO) else str(source), "r") as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def compressed(pictures: list[Pixels], crf: int) -> list[Pixels]:
    """The pictures after H.264."""
    stored = io.BytesIO()
    height, width = (side - side % 2 for side in pictures[0].shape[:2])
    with av.open(stored, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    stored.seek(0)
    return frames(stored)


def measured(detector: FaceDetector, pictures: list[Pixels]) -> tuple[float, float] | None:
    """Residual and travel of the largest face; None where it is seen too seldom."""
    places = np.unique(((np.arange(FRAMES) + 0.5) * len(pictures) / FRAMES).astype(int))
    seen: list[tuple[Pixels, Face]] = []
    for place in places.tolist():
        face = largest(detector.detect(pictures[place]))
        if face is not None:
            seen.append((pictures[place], face))
    if len(seen) < 4:
        return None
    (rgb, first), *others = seen
    reference = Alignment(grey_face(inner(rgb, first)))
    residuals = sorted(reference.residual(grey_face(inner(rgb, face))) for rgb, face in others)
    return residuals[-2], max(travel(first, face) for _, face in others)


def moved(photograph: Pixels, seed: int) -> list[Pixels]:
    """Two seconds of a photograph before a camera that pans, zooms, tilts and turns, under a light that changes."""
    chance = np.random.default_rng(seed)
    height, width = photograph.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    reach = chance.uniform(0.5, 1)
    pictures = []
    for phase in np.linspace(0, 2 * np.pi, 50):
        placed = corners * 0.9 * SIDE / max(width, height)
        placed = placed + reach * np.array([20 * np.sin(phase), 15 * np.cos(1.3 * phase)])
        placed = (placed - SIDE / 2) * (1 + 0.25 * reach * np.sin(phase)) + SIDE / 2
        tilt = 0.12 * reach * np.sin(phase) * SIDE
        placed = placed + tilt * np.array([[0.5, 0.3], [0, -0.3], [0, 0.3], [0.5, -0.3]])
        matrix = cv2.getPerspectiveTransform(corners, np.asarray(placed, np.float32))
        shown = cv2.warpPerspective(photograph, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA, borderValue=(90, 100, 110))
        lit = shown * (1 + 0.05 * np.sin(2 * phase)) + chance.normal(0, 2, shown.shape)
        pictures.append(np.asarray(np.clip(lit, 0, 255), np.uint8))
    return pictures


def rows(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        genuine = [row for row in csv.DictReader(file, delimiter="\t") if row["label"] == "real"]
    yield from random.Random(1).sample(genuine, len(genuine))


def report(name: str, found: list[tuple[float, float]]) -> None:
    residuals, ways = (np.array(values) for values in zip(*found, strict=True))
    quantiles = np.quantile(residuals, [0, 0.01, 0.05, 0.5, 0.95, 1]).round(3).tolist()
    travelling = ways >= LEAST_TRAVEL
    least = residuals[travelling].min().round(3) if travelling.any() else "-"
    still = int(np.sum(travelling & (residuals < MOVES)))
    print(f"{name}: {len(found)}, residual min, 1%, 5%, 50%, 95%, max {quantiles}")
    print(f"  {int(travelling.sum())} travel, their least residual {least}; called still: {still}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--clips", type=int, default=1000, help="most genuine clips")
    arguments = parser.parse_args()
    settings = VideoSettings()
    detector = FaceDetector.load(settings.bundle_dir("face_detector"), settings.runtime())
    genuine = list(rows(arguments.data / "clips"))[: arguments.clips]
    found = [measured(detector, frames(arguments.data / "clips" / row["path"])) for row in genuine]
    report("genuine clips", [each for each in found if each])
    photographs = list(rows(arguments.data / "video"))[:PHOTOGRAPHS]
    for crf in (20, 26, 32):
        results = []
        for seed, row in enumerate(photographs):
            rgb = cv2.imread(str(arguments.data / "video" / row["path"]))
            if rgb is not None:
                pictures = moved(np.ascontiguousarray(rgb[:, :, ::-1], np.uint8), seed)
                results.append(measured(detector, compressed(pictures, crf)))
        report(f"moved photographs, H.264 at crf {crf}", [each for each in results if each])


if __name__ == "__main__":
    main()

"""Measure what share of faces the face detector finds, by size and pose, and what a frame costs.

python -m training.video.measure_face_detector --corpus ../shared/data/video

Pictures of the corpus are pasted into a grey 640x360 frame so that the face (its landmarks' larger side) has a given
share of the frame's height. A face counts as found when a box overlaps its landmarks' box by more than 0.4 (IoU).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from sg_common.runtime import Runtime
from video_analyzer.detector import FaceDetector, box_iou

from training.video.corpus import FloatArray, Pixels, read_corpus, read_landmarks, read_picture

WIDTH, HEIGHT = 640, 360
SHARES = (0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
NOSE, CHEEKS = 1, (234, 454)


def paste(picture: Pixels, box: FloatArray, share: float) -> tuple[Pixels, FloatArray]:
    """The frame with the picture scaled and centred on the face, and the face's corners [2, 2] in it."""
    scale = share * HEIGHT / float((box[1] - box[0]).max())
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=interpolation)
    corner = np.round(np.array([WIDTH, HEIGHT]) / 2 - box.mean(0) * scale).astype(int)
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    skip, start = np.maximum(-corner, 0), np.maximum(corner, 0)
    part = scaled[skip[1] : skip[1] + HEIGHT - start[1], skip[0] : skip[0] + WIDTH - start[0]]
    frame[start[1] : start[1] + part.shape[0], start[0] : start[0] + part.shape[1]] = part
    return frame, np.asarray(box * scale + corner, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/data/video"))
    parser.add_argument("--bundle", type=Path, default=Path("models/face_detector"))
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    samples = read_corpus(options.corpus)
    landmarks = read_landmarks(options.corpus, samples)
    detector = FaceDetector.load(options.bundle, Runtime(threads=1))
    left, right = landmarks[:, CHEEKS[0], 0], landmarks[:, CHEEKS[1], 0]
    turn = np.abs((landmarks[:, NOSE, 0] - left) / (right - left + 1e-6) - 0.5)
    sets = {
        "any pose": np.random.default_rng(0).choice(len(samples), options.count, replace=False),
        "most turned": np.argsort(-np.nan_to_num(turn))[: options.count],
    }
    spent, others, frames = [], 0, 0
    print("| faces | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |\n" + "| --- " * (len(SHARES) + 1) + "|")
    for name, rows in sets.items():
        found = np.zeros(len(SHARES))
        for row in rows.tolist():
            picture = read_picture(samples[row].path)
            box = np.stack([landmarks[row].min(0), landmarks[row].max(0)])
            for k, share in enumerate(SHARES):
                frame, expected = paste(picture, box, share)
                start = time.process_time()
                faces = detector.detect(frame)
                spent.append(time.process_time() - start)
                corners = [[[f.x, f.y], [f.x + f.width, f.y + f.height]] for f in faces]
                overlaps = box_iou(expected, np.array(corners, np.float32).reshape(-1, 2, 2)) > 0.4
                found[k] += overlaps.any()
                others, frames = others + len(faces) - bool(overlaps.any()), frames + 1
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in found / len(rows)) + " |", flush=True)
    print(f"\nMedian {np.median(spent) * 1e3:.1f} ms of one core a frame; {others / frames:.3f} other boxes a frame.")


if __name__ == "__main__":
    main()

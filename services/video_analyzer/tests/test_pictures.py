from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from sg_common.analysis import AnalysisOptions, Job
from video_analyzer.pictures import SIDE, draw
from video_analyzer.report import SuspiciousFrame, VideoReport
from video_analyzer.settings import VideoSettings

from testbed.media import Film, write_media


def grey(number: int, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 2 * number + 20, np.uint8)


def test_the_frames_that_the_report_names(tmp_path: Path) -> None:
    path = write_media(tmp_path / "clip.mp4", film=Film(frames=60, picture=grey, size=(640, 480), fps=25))
    named = [
        SuspiciousFrame(frame_number=number, time=number / 25, inconsistency_score=0.9, box=(0, 0, 100, 100))
        for number in (40, 10)
    ]
    report = VideoReport.model_construct(suspicious_frames=named)
    drawn = draw(VideoSettings(), path, report, AnalysisOptions(sample_rate=5), Job())["frames"]
    assert [frame["frame_number"] for frame in drawn] == [10, 40]
    for frame in drawn:
        image = Image.open(io.BytesIO(base64.b64decode(frame["image"].partition(",")[2])))
        assert max(image.size) == SIDE
        assert abs(np.asarray(image).mean() - (2 * frame["frame_number"] + 20)) < 6

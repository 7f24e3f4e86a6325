"""What a person may look at beside the answer: the frames that it calls suspicious."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.media import open_video
from sg_view.pictures import jpeg_address

from video_analyzer.report import VideoReport
from video_analyzer.settings import VideoSettings

SIDE = 480
"""Pixels of the longer side."""


def draw(settings: VideoSettings, path: Path, report: Report, options: AnalysisOptions, job: Job) -> dict[str, Any]:
    """The suspicious frames of a judged file, for the view.

    Returns:
        `{frames: [{frame_number, image}]}` in order of time, the image as a `data:` address.

    Raises:
        ServiceError: as `open_video` says.
    """
    wanted = {frame.frame_number for frame in report.suspicious_frames} if isinstance(report, VideoReport) else set()
    drawn: list[dict[str, Any]] = []
    if not wanted:
        return {"frames": drawn}
    # The choice of frames is the analysis's own, so that these are among them.
    budget = replace(settings.frame_budget(), max_side=SIDE)
    limits = settings.decode_limits()
    with open_video(path, sample_rate=options.sample_rate, budget=budget, limits=limits, job=job) as reader:
        for frame in reader:
            job.check()
            if frame.number in wanted:
                drawn.append({"frame_number": frame.number, "image": jpeg_address(frame.rgb)})
            if len(drawn) == len(wanted):
                break
    return {"frames": drawn}

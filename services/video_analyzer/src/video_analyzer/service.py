"""What the doors (HTTP, queue, command line) need to know of this service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Report
from sg_common.service import AnalyzerService

from video_analyzer.report import VideoReport
from video_analyzer.settings import VideoSettings


def build(settings: VideoSettings) -> Analyzer:
    """Load the models (imported here: OpenCV and the sessions are paid for only where something is judged).

    Raises:
        BundleError: a bundle must not be served.
    """
    from video_analyzer.analyzer import VideoAnalyzer  # noqa: PLC0415

    return VideoAnalyzer(settings)


def draw(settings: VideoSettings, path: Path, report: Report, options: AnalysisOptions, job: Job) -> dict[str, Any]:
    """Pictures beside a report; see `video_analyzer.pictures` (imported here, as it loads an encoder)."""
    from video_analyzer.pictures import draw as draw_pictures  # noqa: PLC0415

    return draw_pictures(settings, path, report, options, job)


SERVICE = AnalyzerService(
    kind="video",
    title="How likely are the faces of a video manipulated, and when?",
    distribution="silver-guardian-video-analyzer",
    port=8001,
    settings=VideoSettings.from_environment,
    build=build,
    report=VideoReport,
    draw=draw,
    peer="audio",
    options=frozenset({"sample_rate", "policy"}),
)

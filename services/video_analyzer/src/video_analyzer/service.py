"""What the doors (HTTP, queue, command line) need to know of this service."""

from __future__ import annotations

from sg_common.analysis import Analyzer
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


SERVICE = AnalyzerService(
    kind="video",
    title="How likely are the faces of a video manipulated, and when?",
    distribution="silver-guardian-video-analyzer",
    port=8001,
    settings=VideoSettings.from_environment,
    build=build,
    report=VideoReport,
    options=frozenset({"sample_rate", "policy"}),
)

"""What the doors (HTTP, queue, command line) need to know of this service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Report
from sg_common.service import AnalyzerService

from audio_analyzer.report import AudioReport
from audio_analyzer.settings import AudioSettings


def build(settings: AudioSettings) -> Analyzer:
    """Load the models (imported here: the sessions are paid for only where something is judged).

    Raises:
        BundleError: a bundle must not be served.
    """
    from audio_analyzer.analyzer import AudioAnalyzer  # noqa: PLC0415

    return AudioAnalyzer(settings)


def draw(settings: AudioSettings, path: Path, report: Report, options: AnalysisOptions, job: Job) -> dict[str, Any]:
    """Pictures beside a report; see `audio_analyzer.pictures` (imported here, as it loads an encoder)."""
    from audio_analyzer.pictures import draw as draw_pictures  # noqa: PLC0415

    return draw_pictures(settings, path, report, options, job)


SERVICE = AnalyzerService(
    kind="audio",
    title="How likely is the speech in a media file synthetic, cloned or converted?",
    distribution="silver-guardian-audio-analyzer",
    port=8000,
    settings=AudioSettings.from_environment,
    build=build,
    report=AudioReport,
    draw=draw,
    peer="video",
    options=frozenset({"policy"}),
)

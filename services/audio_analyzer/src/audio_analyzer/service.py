"""What the doors (HTTP, queue, command line) need to know of this service."""

from __future__ import annotations

from sg_common.analysis import Analyzer
from sg_common.service import AnalyzerService

from audio_analyzer.report import AudioReport
from audio_analyzer.settings import AudioSettings


def build(settings: AudioSettings) -> Analyzer:
    """Load the models (imported here: the sessions are paid for only where something is judged).

    Raises:
        BundleError: a bundle must not be served.
    """
    from audio_analyzer.analyzer import build_analyzer  # noqa: PLC0415

    return build_analyzer(settings)


SERVICE = AnalyzerService(
    kind="audio",
    title="How likely is the speech in a media file synthetic, cloned or converted?",
    distribution="silver-guardian-audio-analyzer",
    port=8000,
    settings=AudioSettings.from_environment,
    build=build,
    report=AudioReport,
    options=frozenset({"policy"}),
)

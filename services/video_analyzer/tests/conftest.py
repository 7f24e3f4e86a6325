"""An analyzer with the shipped face detector and a tiny face model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sg_common.analysis import AnalysisOptions, Job
from video_analyzer.analyzer import VideoAnalyzer
from video_analyzer.report import VideoReport
from video_analyzer.settings import VideoSettings

from testbed.face_model import write_green_bundle
from testbed.media import write_video

MODELS = Path(__file__).resolve().parents[3] / "models"

Judge = Callable[..., VideoReport]


@pytest.fixture(scope="session")
def green_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_green_bundle(tmp_path_factory.mktemp("green"))


@pytest.fixture(scope="session")
def make_analyzer(green_bundle: Path) -> Callable[..., VideoAnalyzer]:
    """Build an analyzer; keyword arguments are settings."""

    def make(**settings: Any) -> VideoAnalyzer:
        return VideoAnalyzer(VideoSettings(models_root=MODELS, **{"model_dir": green_bundle, **settings}))

    return make


@pytest.fixture(scope="session")
def analyzer(make_analyzer: Callable[..., VideoAnalyzer]) -> VideoAnalyzer:
    return make_analyzer()


@pytest.fixture
def judge(analyzer: VideoAnalyzer, tmp_path: Path) -> Judge:
    """Write a film (fields of `Film`; 640x360 unless told) and judge it."""

    def run(*, sample_rate: int | None = None, by: VideoAnalyzer = analyzer, **film: Any) -> VideoReport:
        path = write_video(
            tmp_path / "film.mp4", **{"size": (640, 360), "options": {"preset": "ultrafast", "crf": "20"}, **film}
        )
        return by.analyze(path, AnalysisOptions(sample_rate=sample_rate), Job())

    return run

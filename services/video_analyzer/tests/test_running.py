"""How analyses run: batches, threads, deadlines, memory, and the service that the doors see."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from sg_common.analysis import AnalysisOptions, Job, Progress
from sg_common.errors import BundleError, Cancelled, DeadlineExceeded
from video_analyzer.analyzer import VideoAnalyzer
from video_analyzer.report import VideoReport

from testbed.face_model import write_green_bundle
from testbed.faces import HOPPER, Actor, scene
from testbed.media import remux, write_video

PEOPLE = scene(
    Actor(place=lambda n: (0.3, 0.5)),
    Actor(HOPPER, place=lambda n: (0.75, 0.5) if n % 5 else None, manipulated=True),
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "people.mp4"
    return write_video(path, picture=PEOPLE, frames=40, size=(640, 360), options={"preset": "ultrafast", "g": "10"})


def evidence(report: VideoReport) -> str:
    """Everything but the time it took."""
    return json.dumps(report.model_dump(mode="json", exclude={"processing_seconds"}), sort_keys=True)


def test_scores_do_not_depend_on_the_batch(make_analyzer: Callable[..., VideoAnalyzer], film: Path) -> None:
    reports = {
        size: make_analyzer(video_batch_size=size).analyze(film, AnalysisOptions(sample_rate=1), Job())
        for size in (1, 3, 16, 256)
    }
    assert len({evidence(report) for report in reports.values()}) == 1
    assert len(reports[1].faces) == 2


def test_scores_do_not_depend_on_the_container(analyzer: VideoAnalyzer, film: Path) -> None:
    def scores(path: Path) -> tuple[float, list[tuple[int, float]]]:
        report = analyzer.analyze(path, AnalysisOptions(), Job())
        return report.probability, [(point.frame_number, point.inconsistency_score) for point in report.timeline]

    first = scores(film)
    for suffix in (".mkv", ".mov", ".ts"):
        assert scores(remux(film, film.with_suffix(suffix))) == first, suffix


def test_threads_do_not_mix(analyzer: VideoAnalyzer, film: Path) -> None:
    expected = evidence(analyzer.analyze(film, AnalysisOptions(), Job()))
    with ThreadPoolExecutor(3) as pool:
        reports = pool.map(lambda _: analyzer.analyze(film, AnalysisOptions(), Job()), range(3))
        assert {evidence(report) for report in reports} == {expected}


def test_progress_goes_on_to_the_end(analyzer: VideoAnalyzer, film: Path) -> None:
    seen: list[Progress] = []
    analyzer.analyze(film, AnalysisOptions(sample_rate=1), Job(on_progress=seen.append))
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == pytest.approx(39 / 30, abs=1e-3)
    assert all(step.total == pytest.approx(40 / 30, abs=0.05) for step in seen)


def test_a_cancelled_job_stops(analyzer: VideoAnalyzer, film: Path) -> None:
    done: list[Progress] = []

    def stop(progress: Progress) -> None:
        done.append(progress)
        if len(done) == 3:
            job.cancel()

    job = Job(on_progress=stop)
    with pytest.raises(Cancelled):
        analyzer.analyze(film, AnalysisOptions(sample_rate=1), job)
    assert len(done) == 3


def test_a_passed_deadline_stops(analyzer: VideoAnalyzer, film: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        analyzer.analyze(film, AnalysisOptions(), Job(deadline_seconds=0))


def test_memory_does_not_grow_with_the_length(analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    def peak(frames: int) -> int:
        path = write_video(
            tmp_path / f"{frames}.mp4",
            picture=scene(Actor()),
            frames=frames,
            size=(640, 360),
            options={"preset": "ultrafast"},
        )
        tracemalloc.start()
        try:
            analyzer.analyze(path, AnalysisOptions(sample_rate=1), Job())
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(4)
    # 160 more frames are 110 MB of pixels; what may grow is the timeline and 8 bytes a face.
    assert peak(180) - peak(20) < 1_000_000


def test_a_bundle_without_a_calibration_is_refused(make_analyzer: Callable[..., VideoAnalyzer], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"calibration\.temperature"):
        make_analyzer(model_dir=write_green_bundle(tmp_path / "bundle", calibration={}))


def test_the_doors_find_the_service(monkeypatch: pytest.MonkeyPatch, green_bundle: Path) -> None:
    monkeypatch.setenv("SG_VIDEO_MODEL_DIR", str(green_bundle))
    monkeypatch.setenv("SG_VIDEO_WHOLE_FRAMES", "5")
    (entry,) = entry_points(group="silver_guardian.analyzers", name="video")
    service = entry.load()
    settings = service.settings()
    assert (service.kind, service.port, settings.port) == ("video", 8001, 8001)
    assert settings.frame_budget().whole_frames == 5
    assert service.build(settings).model.name == "green-faces"
    assert service.report is VideoReport

"""Clips go through the service's own path, under real compression, and are kept by what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sg_common.analysis import AnalysisOptions, Job
from video_analyzer.analyzer import VideoAnalyzer

from testbed.face_model import write_green_bundle
from testbed.faces import ASTRONAUT, HOPPER, Actor, scene
from testbed.media import write_video
from training.common.manifest import read_corpora
from training.video.clips import Reader, judge_all
from training.video.recompress import AS_FOUND, CONDITIONS, Codec, Condition, drawn, recompress

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of a face, of two folds, and one without any face."""
    folder = tmp_path_factory.mktemp("clips")
    for name, portrait in (("a", ASTRONAUT), ("b", HOPPER)):
        write_video(folder / f"{name}.mp4", size=(320, 240), frames=20, picture=scene(Actor(portrait)))
    write_video(folder / "none.mp4", size=(320, 240), frames=12)
    rows = ["path\tlabel\tmethod_or_source\tfold", "a.mp4\treal\tx\t0", "b.mp4\treal\tx\t1"]
    (folder / "manifest.tsv").write_text("\n".join([*rows, "none.mp4\tfake\ty\t0"]) + "\n")
    return folder


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    (tmp_path / "kept").mkdir()
    return Reader(write_green_bundle(tmp_path / "green"), tmp_path / "kept", MODELS)


def test_a_clip_is_judged_as_the_service_judges_it(corpus: Path, reader: Reader) -> None:
    samples = read_corpora([corpus])
    document = json.loads((reader.bundle / "model.json").read_text())
    wider = {**document["input"], "crop_scale": 1.9}
    other = Reader(write_green_bundle(reader.folder / "other", input=wider), reader.folder, MODELS)
    found = judge_all({1: other}, reader, {AS_FOUND: samples}, workers=1)[AS_FOUND]
    assert [sample for sample, _ in found] == samples
    judged = [judgement for _, judgement in found]
    report = VideoAnalyzer(reader.settings()).analyze(corpus / "a.mp4", AnalysisOptions(), Job())
    assert judged[0].full
    assert judged[0].logit is not None
    calibration = document["calibration"]
    scaled = judged[0].logit / calibration["temperature"] + calibration["bias"]
    assert report.manipulation_probability == pytest.approx(1 / (1 + np.exp(-scaled)), abs=1e-4)
    assert 60 < judged[0].face_pixels < 180
    assert judged[1] == other.judge(corpus / "b.mp4", AS_FOUND)
    assert (judged[2].logit, judged[2].full) == (None, False)


def test_what_was_judged_is_kept_by_content(corpus: Path, reader: Reader, tmp_path: Path) -> None:
    first = reader.judge(corpus / "a.mp4", AS_FOUND)
    kept = reader.path_of(corpus / "a.mp4", AS_FOUND)
    kept.write_text(kept.read_text().replace(str(first.logit), "7.5"))
    assert reader.judge(corpus / "a.mp4", AS_FOUND).logit == 7.5
    names = {reader.path_of(corpus / "a.mp4", condition) for condition in CONDITIONS}
    assert len(names) == len(CONDITIONS)
    other = tmp_path / "a.mp4"
    shutil.copy(corpus / "b.mp4", other)
    assert reader.path_of(other, AS_FOUND) not in names
    shutil.copy(corpus / "a.mp4", other)
    assert reader.path_of(other, AS_FOUND) == kept


def test_another_model_or_another_way_to_join_frames_is_judged_anew(
    corpus: Path, reader: Reader, tmp_path: Path
) -> None:
    document = json.loads((reader.bundle / "model.json").read_text())
    changes: tuple[tuple[str, Any], ...] = (
        ("calibration", {**document["calibration"], "aggregation": {"kind": "median"}}),
        ("input", {**document["input"], "crop_scale": 1.9}),
    )
    for place, value in changes:
        changed = Reader(write_green_bundle(tmp_path / place, **{place: value}), reader.folder, MODELS)
        assert changed.path_of(corpus / "a.mp4", AS_FOUND) != reader.path_of(corpus / "a.mp4", AS_FOUND)


def test_clips_that_cannot_be_read_are_told(corpus: Path, reader: Reader, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((corpus / "a.mp4").read_bytes()[:200])
    judged = reader.judge(broken, AS_FOUND)
    assert judged.problem
    assert not judged.full


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
def test_compression_keeps_frames_and_times_and_costs_detail(corpus: Path, tmp_path: Path, codec: Codec) -> None:
    recompress(corpus / "a.mp4", tmp_path / "small.mp4", Condition(40, 0.75, codec))
    before, after = (_frames(path) for path in (corpus / "a.mp4", tmp_path / "small.mp4"))
    assert [time for time, _ in before] == pytest.approx([time for time, _ in after], abs=1e-3)
    assert after[0][1].shape == (180, 240, 3)
    assert (tmp_path / "small.mp4").stat().st_size < (corpus / "a.mp4").stat().st_size


def test_training_meets_every_codec_and_size() -> None:
    conditions = [drawn(np.random.default_rng(i)) for i in range(60)]
    assert {condition.codec for condition in conditions} == {"libx264", "libx265", "libvpx-vp9"}
    assert min(condition.scale for condition in conditions) >= 0.5
    assert any(condition.scale == 1 for condition in conditions)
    assert {20 <= condition.crf <= 44 for condition in conditions} == {True}


def _frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(f.time or 0), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]

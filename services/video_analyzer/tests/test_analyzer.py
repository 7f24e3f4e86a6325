"""Whole analyses of real files: what is said about whom, when and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from sg_common.analysis import AnalysisOptions, Job, Status
from sg_common.bundle.calibration import FaceSize
from sg_common.errors import MissingStream, NotMedia
from sg_common.verdict import Verdict
from video_analyzer.analyzer import VideoAnalyzer

from testbed.credentials import CAMERA, Authority
from testbed.face_model import write_green_bundle
from testbed.faces import ASTRONAUT, HOPPER, Actor, scene
from testbed.media import Film, Sound, cut, remux, tone, write_audio, write_media, write_video

from .conftest import Judge


def overlap(box: tuple[int, int, int, int], centre: tuple[float, float], side: float) -> float:
    """Intersection over union of a reported box and the square where a face was drawn."""
    x, y, width, height = box
    left, top = centre[0] - side / 2, centre[1] - side / 2
    across = min(x + width, left + side) - max(x, left)
    down = min(y + height, top + side) - max(y, top)
    both = max(0.0, across) * max(0.0, down)
    return both / (width * height + side * side - both)


def test_a_genuine_face(judge: Judge) -> None:
    report = judge(picture=scene(Actor()), frames=60)
    assert (report.status, report.verdict, report.message) == (Status.SUCCESS, Verdict.LIKELY_AUTHENTIC, None)
    assert report.manipulation_probability < 0.3
    assert (report.total_frames, report.analyzed_frames, report.resolution) == (60, 32, "640x360")
    assert (report.video_duration, report.fps) == pytest.approx((2.0, 30.0), rel=0.02)
    (face,) = report.faces
    assert (face.track, face.first_seen) == (1, 0.0)
    assert face.last_seen > 1.8
    assert face.manipulation_probability == report.manipulation_probability
    assert (face.frames, face.verdict) == (32, report.verdict)
    assert face.seconds == pytest.approx(face.last_seen - face.first_seen)
    assert len(report.timeline) == 32
    assert report.suspicious_frames == []
    assert (report.model.name, report.model.variant) == ("green-faces", "fp32")
    assert report.probability == report.manipulation_probability
    assert report.processing_seconds > 0


def test_a_manipulated_face_is_found_and_shown(judge: Judge) -> None:
    report = judge(picture=scene(Actor(manipulated=True)), frames=40)
    assert report.verdict is Verdict.LIKELY_DEEPFAKE
    assert len(report.suspicious_frames) == 10
    scores = [frame.inconsistency_score for frame in report.suspicious_frames]
    assert scores == sorted(scores, reverse=True)
    for frame in report.suspicious_frames:
        assert overlap(frame.box, (320, 180), 100) > 0.6
        assert frame.time == pytest.approx(frame.frame_number / 30, abs=1e-3)


def test_what_the_file_claims_changes_no_score(
    make_analyzer: Callable[..., VideoAnalyzer], analyzer: VideoAnalyzer, tmp_path: Path
) -> None:
    authority = Authority.new()
    (tmp_path / "anchors.pem").write_bytes(authority.anchor)
    plain = write_video(
        tmp_path / "film.mp4", picture=scene(Actor(manipulated=True)), frames=20, size=(640, 360), codec="mpeg4"
    )
    signed = authority.sign(plain, tmp_path / "signed.mp4", CAMERA)
    before = analyzer.analyze(plain, AnalysisOptions(), Job())
    after = make_analyzer(c2pa_anchors=tmp_path / "anchors.pem").analyze(signed, AnalysisOptions(), Job())
    assert before.provenance is not None
    assert not before.provenance.c2pa.present
    assert after.provenance is not None
    assert after.provenance.c2pa.trusted
    assert after.provenance.c2pa.ai_generated is False
    assert (after.probability, after.verdict) == (before.probability, before.verdict)
    assert after.verdict is Verdict.LIKELY_DEEPFAKE


def test_one_of_two_people_is_manipulated(judge: Judge) -> None:
    report = judge(
        picture=scene(
            Actor(place=lambda n: (0.25 + n / 600, 0.5)),
            Actor(HOPPER, place=lambda n: (0.75 - n / 600, 0.5), manipulated=True),
        ),
        frames=45,
    )
    assert report.verdict is Verdict.LIKELY_DEEPFAKE
    probabilities = sorted(face.manipulation_probability for face in report.faces)
    assert len(probabilities) == 2
    assert probabilities[0] < 0.3 < 0.8 < probabilities[1]
    assert all(overlap(frame.box, (0.7 * 640, 180), 100) > 0.3 for frame in report.suspicious_frames)


def test_a_cut_to_another_person_starts_a_track(judge: Judge) -> None:
    report = judge(
        picture=scene(
            Actor(place=lambda n: (0.5, 0.5) if n < 30 else None),
            Actor(HOPPER, place=lambda n: None if n < 30 else (0.5, 0.5)),
            room=lambda n: n // 30,
        ),
        frames=60,
        sample_rate=3,
    )
    first, second = report.faces
    assert (first.first_seen, first.last_seen) == pytest.approx((0, 27 / 30), abs=1e-3)
    assert (second.first_seen, second.last_seen) == pytest.approx((1, 57 / 30), abs=1e-3)


def test_a_face_that_leaves_and_returns_is_one_track(judge: Judge) -> None:
    report = judge(
        picture=scene(Actor(place=lambda n: None if 20 <= n < 70 else (0.3 + 0.4 * (n > 45), 0.5))), frames=90
    )
    (face,) = report.faces
    assert face.first_seen < 0.1
    assert face.last_seen > 2.7
    assert not any(0.7 < point.time < 2.3 for point in report.timeline)


def test_a_face_seen_for_one_second_is_judged(judge: Judge) -> None:
    report = judge(
        picture=scene(Actor(face_side=96, place=lambda n: (0.5, 0.5) if n >= 120 else None, manipulated=True)),
        frames=150,
    )
    assert report.verdict is Verdict.LIKELY_DEEPFAKE


@pytest.mark.parametrize(("sample_rate", "analyzed"), [(1, 40), (7, 6), (30, 2), (1000, 1)])
def test_sample_rate_is_exact(judge: Judge, sample_rate: int, analyzed: int) -> None:
    report = judge(picture=scene(Actor(manipulated=True)), frames=40, sample_rate=sample_rate)
    assert report.analyzed_frames == analyzed
    assert [point.frame_number for point in report.timeline] == list(range(0, 40, sample_rate))
    if analyzed >= 3:
        assert report.verdict is Verdict.LIKELY_DEEPFAKE
    elif analyzed == 2:
        assert (report.status, report.verdict) == (Status.SUCCESS, Verdict.UNCERTAIN)
        assert report.message is not None
        assert "sample_rate below 30" in report.message
    else:
        assert (report.status, report.manipulation_probability) == (Status.INCONCLUSIVE, 0.5)
        assert report.message is not None
        assert "Of the 1 analysed frame" in report.message


def test_frame_numbers_are_true_whatever_the_mode(judge: Judge) -> None:
    picture = scene(Actor(manipulated=range(20, 34)))
    for sample_rate in (None, 1, 3):
        report = judge(
            picture=picture, frames=60, sample_rate=sample_rate, options={"preset": "veryfast", "bf": "2", "g": "12"}
        )
        assert report.timeline
        for point in report.timeline:
            assert (point.inconsistency_score > 0.8) == (20 <= point.frame_number < 34), (sample_rate, point)
            assert point.time == pytest.approx(point.frame_number / 30, abs=1e-3)
        assert {frame.frame_number for frame in report.suspicious_frames} <= set(range(20, 34))


def test_variable_frame_rate_has_true_times(judge: Judge) -> None:
    times = np.cumsum([0.0, *([1 / 30] * 20), *([0.4] * 5), *([1 / 15] * 10)]).tolist()
    report = judge(picture=scene(Actor(manipulated=range(21, 26))), frames=len(times), times=times, sample_rate=1)
    assert report.total_frames == len(times)
    for point in report.timeline:
        assert point.time == pytest.approx(times[point.frame_number], abs=2e-3)
        assert (point.inconsistency_score > 0.8) == (21 <= point.frame_number < 26)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_phone(judge: Judge, turned: int) -> None:
    actor = Actor(place=lambda _: (0.4, 0.3), manipulated=True)
    report = judge(picture=scene(actor), frames=24, turned=turned)
    width, height = (640, 360) if turned == 180 else (360, 640)
    assert report.resolution == f"{width}x{height}"
    assert report.verdict is Verdict.LIKELY_DEEPFAKE
    assert overlap(report.suspicious_frames[0].box, (0.4 * width, 0.3 * height), 100) > 0.6


def test_boxes_are_in_pixels_of_the_video_when_frames_are_scaled_down(make_analyzer: type, judge: Judge) -> None:
    small: VideoAnalyzer = make_analyzer(video_max_frame_side=320)
    actor = Actor(face_side=160, place=lambda _: (0.7, 0.45), manipulated=True)
    report = judge(picture=scene(actor), frames=12, by=small)
    assert report.resolution == "640x360"
    assert overlap(report.suspicious_frames[0].box, (0.7 * 640, 0.45 * 360), 160) > 0.6


def test_a_faces_size_in_its_frame_counts_in_the_report_and_not_in_what_calibration_is_fitted_on(
    make_analyzer: Callable[..., VideoAnalyzer], green_bundle: Path, tmp_path: Path
) -> None:
    calibration = json.loads((green_bundle / "model.json").read_text())["calibration"]
    size = FaceSize(slope=1.0, smallest=40, largest=400)
    bundle = write_green_bundle(tmp_path / "sized", calibration={**calibration, "face_size": size.model_dump()})
    path = write_video(tmp_path / "film.mp4", size=(640, 360), frames=24, picture=scene(Actor(face_side=160)))
    pixels = []
    for side in (640, 320):
        plain, sized = (make_analyzer(video_max_frame_side=side, model_dir=d) for d in (green_bundle, bundle))
        found = sized.examine(path, AnalysisOptions(), Job())
        assert found == plain.examine(path, AnalysisOptions(), Job())
        assert found.conclusion.logit is not None
        pixels.append(found.face_pixels)
        left = float(size.without(found.conclusion.logit, found.face_pixels))
        report = sized.analyze(path, AnalysisOptions(), Job())
        assert report.manipulation_probability == pytest.approx(1 / (1 + np.exp(-left)), abs=2e-3)
        assert abs(report.manipulation_probability - plain.analyze(path, AnalysisOptions(), Job()).probability) > 0.01
    assert pixels[0] == pytest.approx(2 * pixels[1], rel=0.1)


def test_no_face(judge: Judge) -> None:
    report = judge(picture=scene(), frames=30)
    assert (report.status, report.verdict) == (Status.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert (report.manipulation_probability, report.faces, report.timeline) == (0.5, [], [])
    assert report.message is not None
    assert report.message.startswith("No face was found in the 30 analysed frames")


@pytest.mark.parametrize(
    ("actor", "reason"),
    [(Actor(face_side=52), "too small (under 64 pixels)"), (Actor(HOPPER, place=lambda _: (0.04, 0.5)), "cut off")],
)
def test_unfit_faces_are_counted_and_not_judged(judge: Judge, actor: Actor, reason: str) -> None:
    report = judge(picture=scene(actor), frames=30)
    assert (report.status, report.manipulation_probability, report.timeline) == (Status.INCONCLUSIVE, 0.5, [])
    assert [face.manipulation_probability for face in report.faces] == [0.5]
    assert report.message is not None
    assert reason in report.message


@pytest.mark.parametrize(("gain", "blur", "reason"), [(0.16, 0.0, "too dark"), (1.0, 5.0, "too blurred")])
def test_dark_and_blurred_films(judge: Judge, gain: float, blur: float, reason: str) -> None:
    inner = scene(Actor())

    def picture(number: int, width: int, height: int) -> np.ndarray:
        rgb = inner(number, width, height)
        blurred = cv2.GaussianBlur(rgb, (0, 0), blur) if blur else rgb
        return np.asarray(blurred * gain, np.uint8)

    report = judge(picture=picture, frames=20)
    assert report.status is Status.INCONCLUSIVE
    assert report.message is not None
    assert reason in report.message


def test_faces_that_were_not_judged_are_mentioned_beside_a_verdict(judge: Judge) -> None:
    report = judge(picture=scene(Actor(), Actor(HOPPER, face_side=54, place=lambda _: (0.85, 0.5))), frames=20)
    assert report.verdict is Verdict.LIKELY_AUTHENTIC
    assert report.message is not None
    assert "too small" in report.message


def test_one_frame(judge: Judge) -> None:
    report = judge(picture=scene(Actor(manipulated=True)), frames=1)
    assert (report.total_frames, report.analyzed_frames) == (1, 1)
    assert (report.status, report.manipulation_probability) == (Status.INCONCLUSIVE, 0.5)
    assert [point.frame_number for point in report.timeline] == [0]


def test_files_without_a_video_are_refused(analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(NotMedia):
        analyzer.analyze(empty, AnalysisOptions(), Job())
    sound = write_audio(tmp_path / "sound.wav", tone(1.0))
    with pytest.raises(MissingStream):
        analyzer.analyze(sound, AnalysisOptions(), Job())


def test_only_the_largest_faces_of_a_crowd_are_followed(make_analyzer: type, judge: Judge) -> None:
    lonely: VideoAnalyzer = make_analyzer(video_max_faces=1)
    crowd = scene(Actor(face_side=80, place=lambda _: (0.2, 0.5)), Actor(HOPPER, 120, place=lambda _: (0.7, 0.5)))
    report = judge(picture=crowd, frames=24, by=lonely)
    assert len(report.faces) == 1
    assert report.message == "Only the 1 largest face of a frame was followed."


def test_portraits_of_the_suite_are_found(analyzer: VideoAnalyzer) -> None:
    for portrait in (ASTRONAUT, HOPPER):
        assert len(analyzer._detector.detect(portrait.rgb())) == 1


def test_a_moment_neither_accuses_nor_acquits(judge: Judge) -> None:
    for manipulated in (False, True):
        report = judge(picture=scene(Actor(manipulated=manipulated)), frames=4)
        assert (report.status, report.verdict) == (Status.SUCCESS, Verdict.UNCERTAIN)
        assert "over only 0.1 s, and a verdict needs 0.5 s" in (report.message or "")


def test_one_picture_many_times_is_one_picture(judge: Judge) -> None:
    for manipulated in (False, True):
        report = judge(picture=scene(Actor(speaks=False, manipulated=manipulated)), frames=40)
        assert (report.status, report.verdict) == (Status.SUCCESS, Verdict.UNCERTAIN)
        assert report.message is not None


def photograph(number: int, width: int, height: int) -> np.ndarray:
    """A printed portrait in front of a camera that pans, zooms, turns and tilts, under a light that changes."""
    rgb, phase = ASTRONAUT.rgb(), 2 * np.pi * number / 60
    side = rgb.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    tilt = 0.06 * side * np.sin(phase) * np.array([[1, 1], [0, -1], [0, 1], [1, -1]])
    angle = np.deg2rad(5 * np.sin(2 * phase))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    placed = (corners + tilt - side / 2) @ turn * (0.9 + 0.15 * np.sin(phase))
    placed += [width / 2 + 40 * np.sin(phase), height / 2 + 60 + 25 * np.cos(1.3 * phase)]
    matrix = cv2.getPerspectiveTransform(corners, np.asarray(placed, np.float32))
    shown = cv2.warpPerspective(rgb, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=(90, 110, 100))
    noise = np.random.default_rng(number).normal(0, 2, shown.shape)
    return np.asarray(np.clip(shown * (1 + 0.05 * np.sin(3 * phase)) + noise, 0, 255), np.uint8)


@pytest.mark.parametrize("crf", ["20", "26"])
def test_a_photograph_before_a_moving_camera(judge: Judge, crf: str) -> None:
    report = judge(picture=photograph, frames=90, options={"preset": "veryfast", "crf": crf})
    assert len(report.timeline) >= 24
    assert (report.status, report.verdict) == (Status.SUCCESS, Verdict.UNCERTAIN)
    assert "nothing moves but the camera" in (report.message or "")


def test_a_photograph_on_the_wall_accuses_nobody(judge: Judge) -> None:
    picture = scene(
        Actor(place=lambda _: (0.3, 0.5)), Actor(HOPPER, place=lambda _: (0.75, 0.5), speaks=False, manipulated=True)
    )
    report = judge(picture=picture, frames=45)
    assert report.verdict is Verdict.LIKELY_AUTHENTIC
    assert len(report.faces) == 2


def test_a_palette_hides_what_is_judged(analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.gif", frames=20, fps=10, codec="gif", pixels="rgb8", size=(640, 360), picture=scene(Actor())
    )
    report = analyzer.analyze(path, AnalysisOptions(), Job())
    assert (report.status, report.verdict) == (Status.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    assert (report.manipulation_probability, report.faces, report.timeline) == (0.5, [], [])
    assert report.total_frames == 20
    assert "palette" in (report.message or "")


def test_a_cut_off_file_is_judged_and_said_to_be(analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    film = Film(frames=60, size=(640, 360), picture=scene(Actor()), options={"preset": "ultrafast", "g": "15"})
    whole = write_media(tmp_path / "whole.mp4", film=film, movflags="faststart")
    report = analyzer.analyze(cut(whole, tmp_path / "part.mp4", 0.7), AnalysisOptions(), Job())
    assert report.verdict is Verdict.LIKELY_AUTHENTIC
    assert "cut off" in (report.message or "")
    assert "cut off" not in (analyzer.analyze(whole, AnalysisOptions(), Job()).message or "")


def test_times_are_the_files_own(analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    """A picture that begins two seconds after the sound."""
    film = Film(frames=40, size=(640, 360), picture=scene(Actor(manipulated=True)), options={"preset": "ultrafast"})
    clip = write_media(tmp_path / "clip.mp4", film=film, sound=Sound(tone(4.0)))
    late = remux(clip, tmp_path / "late.mp4", later={"video": 2.0})
    report = analyzer.analyze(late, AnalysisOptions(), Job())
    assert report.video_duration == pytest.approx(2 + 40 / 30, abs=0.1)
    (face,) = report.faces
    for times in (
        [face.first_seen, face.last_seen],
        [point.time for point in report.timeline],
        [frame.time for frame in report.suspicious_frames],
    ):
        assert min(times) == pytest.approx(2.0, abs=0.5)
        assert min(times) > 1.9
        assert max(times) <= report.video_duration


def test_a_change_of_resolution_keeps_the_face_in_shape(judge: Judge, analyzer: VideoAnalyzer, tmp_path: Path) -> None:
    """A stream that turns from landscape to portrait: the face's box is in its own frame's pixels."""
    parts = [
        write_video(
            tmp_path / f"{place}.ts",
            frames=30,
            size=size,
            picture=scene(Actor(manipulated=True)),
            options={"preset": "ultrafast"},
        )
        for place, size in enumerate([(640, 360), (360, 640)])
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = analyzer.analyze(path, AnalysisOptions(sample_rate=5), Job())
    for frame in report.suspicious_frames:
        centre = (320, 180) if frame.frame_number < 30 else (180, 320)
        assert overlap(frame.box, centre, 100) > 0.6
    assert {frame.frame_number < 30 for frame in report.suspicious_frames} == {True, False}

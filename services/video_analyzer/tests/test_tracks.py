"""Tracks over drawn scenes: who is who, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from video_analyzer.detector import Face
from video_analyzer.tracks import Track, Tracker, TrackingRules, appearance, iou, is_cut, scene_signature, separation

HEIGHT, WIDTH = 360, 640
ANNA, BORIS, CARLA = (200, 140, 110), (90, 60, 50), (120, 170, 220)


def scene(seed: int = 0) -> np.ndarray:
    """A room: coarse random furniture."""
    coarse = np.random.default_rng(seed).integers(60, 190, (9, 16, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, HEIGHT // 9, axis=0), WIDTH // 16, axis=1)


def person(frame: np.ndarray, x: int, y: int, colour: tuple[int, int, int], size: int = 80) -> Face:
    """Draw a head of one colour, darker hair included, around (x, y) and return its box."""
    half = int(0.7 * size)
    frame[max(0, y - half) : y + half, max(0, x - half) : x + half] = np.asarray(colour, np.uint8) // 2
    frame[y - size // 2 : y + size // 2, x - size // 2 : x + size // 2] = colour
    return Face(x - size / 2, y - size / 2, size, size, 0.9)


def numbers(tracks: Sequence[Track | None]) -> list[int | None]:
    return [None if track is None else track.number for track in tracks]


def test_a_steady_face_is_one_track_at_any_spacing() -> None:
    for spacing in (1 / 30, 0.5, 8.0):
        tracker = Tracker()
        for index in range(10):
            frame = scene()
            face = person(frame, 300 + 2 * index, 180, ANNA)
            assert numbers(tracker.update(frame, index * spacing, [face], 1.0)) == [1]
        (track,) = tracker.tracks
        assert (track.first_seen, track.last_seen, track.sightings) == (0, 9 * spacing, 10)


def test_two_people_keep_their_numbers_in_whatever_order_they_are_found() -> None:
    tracker = Tracker()
    for index in range(8):
        frame = scene()
        faces = [person(frame, 150 + 5 * index, 180, ANNA), person(frame, 480 - 5 * index, 180, BORIS)]
        tracks = tracker.update(frame, index / 30, faces if index % 2 == 0 else faces[::-1], 1.0)
        assert numbers(tracks) == ([1, 2] if index % 2 == 0 else [2, 1])


def test_people_of_the_same_colour_are_told_apart_by_place() -> None:
    tracker = Tracker()
    for index in range(8):
        frame = scene()
        faces = [person(frame, 150, 180, ANNA), person(frame, 480, 180, ANNA)]
        assert numbers(tracker.update(frame, index / 30, faces, 1.0)) == [1, 2]


def test_a_cut_to_another_person_at_the_same_place_starts_a_track() -> None:
    tracker = Tracker()
    for index, (room, colour) in enumerate([(1, ANNA), (1, ANNA), (2, CARLA), (2, CARLA), (1, ANNA)]):
        frame = scene(room)
        tracks = tracker.update(frame, index / 30, [person(frame, 320, 180, colour)], 1.0)
        assert numbers(tracks) == [1 if colour == ANNA else 2]


def test_a_similar_person_after_a_cut_is_not_continued() -> None:
    # Close enough in colour to be one moving person within a shot, not close enough to be recognized after a cut.
    tracker = Tracker()
    frame = scene(1)
    tracker.update(frame, 0.0, [person(frame, 320, 180, ANNA)], 1.0)
    frame = scene(2)
    face = person(frame, 320, 180, ANNA)
    frame[140:170, 290:350] = BORIS
    similarity = tracker.tracks[0].similarity(appearance(frame, face))
    assert tracker.rules.near_similarity < similarity < tracker.rules.return_similarity
    assert numbers(tracker.update(frame, 1 / 30, [face], 1.0)) == [2]


def test_short_misses_and_a_return_elsewhere_continue_the_track() -> None:
    tracker = Tracker()
    for index in range(12):
        frame = scene()
        face = person(frame, 320, 180, ANNA)
        tracker.update(frame, index / 10, [face] if index % 3 == 0 else [], 1.0)
    assert len(tracker.tracks) == 1
    frame = scene()
    assert numbers(tracker.update(frame, 30.0, [person(frame, 100, 250, ANNA)], 1.0)) == [1]


def test_a_doubtful_face_continues_a_track_but_starts_none() -> None:
    tracker = Tracker()
    frame = scene()
    face = person(frame, 320, 180, ANNA)
    doubtful = replace(face, score=0.55)
    assert numbers(tracker.update(frame, 0.0, [doubtful], 1.0)) == [None]
    assert numbers(tracker.update(frame, 0.1, [face], 1.0)) == [1]
    assert numbers(tracker.update(frame, 0.2, [doubtful], 1.0)) == [1]
    assert tracker.tracks[0].sightings == 2


def test_sizes_are_compared_in_the_displayed_video() -> None:
    tracker = Tracker()
    frame = scene()
    tracker.update(frame, 0.0, [person(frame, 320, 180, ANNA)], 0.5)
    assert (tracker.tracks[0].box.x, tracker.tracks[0].box.width) == (560, 160)


def test_tracks_are_bounded_and_the_least_seen_go() -> None:
    tracker = Tracker(TrackingRules(max_tracks=2))
    for index in range(5):
        frame = scene()
        faces = [person(frame, 320, 180, ANNA)]
        if index in {1, 3}:
            faces.append(person(frame, 100, 180, (20 + 100 * (index - 1), 200, 40 * index)))
        tracker.update(frame, float(index), faces, 1.0)
    assert [track.number for track in tracker.prune()] == [2]
    assert numbers(tracker.tracks) == [1, 3]
    assert tracker.prune() == []


def test_faces_at_and_beyond_the_edge_have_an_appearance() -> None:
    frame = scene()
    assert appearance(frame, Face(-30, -30, 80, 80, 0.9)).sum() > 0
    assert appearance(frame, Face(5000, 0, 80, 80, 0.9)).sum() == 0


def test_one_frame_is_no_cut_of_itself_and_a_flat_frame_has_a_signature() -> None:
    assert not is_cut(scene_signature(scene(1)), scene_signature(scene(1)))
    assert is_cut(scene_signature(scene(1)), scene_signature(scene(2)))
    assert np.isfinite(scene_signature(np.zeros((HEIGHT, WIDTH, 3), np.uint8))).all()


def test_geometry() -> None:
    a, b = Face(0, 0, 10, 10, 1), Face(5, 0, 10, 10, 1)
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(a, Face(20, 20, 5, 5, 1)) == 0
    assert separation(a, b) == pytest.approx((0.5, 1.0))
    assert separation(a, Face(0, 0, 0, 0, 1))[1] > 1e3

"""What both services answer to ordinary clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from testbed.media import remux
from tests.e2e.conftest import Running

AUDIO_FIELDS = {
    "deepfake_probability": float,
    "probability": float,
    "sha256": str,
    "provenance": (dict, type(None)),
    "policy": str,
    "thresholds": dict,
    "policy_rates": (dict, type(None)),
    "verdict": str,
    "status": str,
    "audio_duration": float,
    "speech_duration": float,
    "sample_rate": int,
    "segments": list,
    "voices": list,
    "suspicious_segments": list,
    "model": dict,
    "processing_seconds": float,
    "summary": str,
    "reasons": list,
    "message": (str, type(None)),
}
VIDEO_FIELDS = {
    "manipulation_probability": float,
    "probability": float,
    "sha256": str,
    "provenance": (dict, type(None)),
    "policy": str,
    "thresholds": dict,
    "policy_rates": (dict, type(None)),
    "verdict": str,
    "status": str,
    "total_frames": int,
    "analyzed_frames": int,
    "video_duration": float,
    "fps": float,
    "resolution": str,
    "faces": list,
    "timeline": list,
    "suspicious_frames": list,
    "model": dict,
    "processing_seconds": float,
    "summary": str,
    "reasons": list,
    "message": (str, type(None)),
}
SCORE = {"audio": "deepfake_probability", "video": "manipulation_probability"}


def assert_contract(kind: str, body: dict[str, Any]) -> None:
    fields = AUDIO_FIELDS if kind == "audio" else VIDEO_FIELDS
    assert set(body) == set(fields)
    for name, kinds in fields.items():
        assert isinstance(body[name], kinds), name  # type: ignore[arg-type]
    assert 0 <= body[SCORE[kind]] <= 1
    assert body["verdict"] in {"likely_authentic", "uncertain", "likely_deepfake", "inconclusive"}
    assert set(body["model"]) == {"name", "version", "variant"}


def test_a_clip_is_judged(service: Running, clip: Path) -> None:
    answer = service.analyze(clip)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert_contract(service.kind, body)
    assert body["status"] == "success", body["message"]
    assert body["provenance"]["c2pa"]["present"] is False
    assert 'decoder_starts_total{how="fresh"}' not in httpx.get(f"{service.base}/metrics").text
    if service.kind == "audio":
        assert body["sample_rate"] == 16000
        assert body["audio_duration"] == pytest.approx(8.0, abs=0.2)
        assert 4 < body["speech_duration"] <= 8.2
        assert body["segments"]
        for segment in body["segments"]:
            assert set(segment) == {"start", "end", "deepfake_probability"}
            assert 0 <= segment["start"] < segment["end"] <= body["audio_duration"] + 0.1
    else:
        assert body["total_frames"] == 200
        assert body["analyzed_frames"] == 32
        assert body["fps"] == pytest.approx(25, abs=0.1)
        assert body["resolution"] == "640x480"
        assert [set(face) for face in body["faces"]] == [
            {"track", "first_seen", "last_seen", "frames", "seconds", "manipulation_probability", "verdict"}
        ]
        assert all(set(entry) == {"time", "frame_number", "inconsistency_score"} for entry in body["timeline"])
        assert len(body["suspicious_frames"]) <= 10


@pytest.mark.parametrize("suffix", ["mkv", "mov", "ts"])
def test_the_container_does_not_change_the_score(service: Running, clip: Path, tmp_path: Path, suffix: str) -> None:
    other = service.analyze(remux(clip, tmp_path / f"clip.{suffix}")).json()
    same = service.analyze(clip).json()
    assert other[SCORE[service.kind]] == same[SCORE[service.kind]]
    assert other["verdict"] == same["verdict"]


def test_sample_rate_takes_exactly_one_frame_in_n(service: Running, clip: Path) -> None:
    body = service.analyze(clip, sample_rate="25").json()
    if service.kind == "video":
        assert body["analyzed_frames"] == 8
        assert [entry["frame_number"] for entry in body["timeline"]] == list(range(0, 200, 25))
    else:
        assert body["status"] == "success"


def test_metrics_tell_of_the_work(service: Running, clip: Path) -> None:
    service.analyze(clip)
    text = httpx.get(f"{service.base}/metrics").text
    assert 'silver_guardian_analyses_total{outcome="success"}' in text
    assert "silver_guardian_model_info" in text

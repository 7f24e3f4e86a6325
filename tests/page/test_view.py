"""What a view makes of fields that the samples do not have: two voices, claims, and texts that would be markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sg_view.page import render, words

from .conftest import Opener, violations

HOSTILE = "<img src=x onerror=alert(1)>"


def call() -> dict[str, Any]:
    """The answer about a call of an hour whose right channel is suspicious."""
    voice = {"speech_seconds": 900.0, "first_heard": 0.0, "last_heard": 3600.0}
    return {
        "verdict": "likely_deepfake",
        "status": "success",
        "probability": 0.91,
        "policy": "balanced",
        "thresholds": {"likely_authentic": 0.2, "likely_deepfake": 0.8},
        "policy_rates": None,
        "sha256": "0" * 64,
        "model": {"name": HOSTILE, "version": "1", "variant": "fp32"},
        "processing_seconds": 1.0,
        "message": None,
        "summary": HOSTILE,
        "reasons": [{"code": "declared_ai", "text": HOSTILE}, {"code": "no_ai_declared", "text": "No mark."}],
        "audio_duration": 3600.0,
        "speech_duration": 1800.0,
        "segments": [{"start": 60.0 * n, "end": 60.0 * n + 90, "deepfake_probability": 0.5} for n in range(59)],
        "voices": [
            {**voice, "voice": 1, "channel": 1, "deepfake_probability": 0.1, "verdict": "likely_authentic"},
            {**voice, "voice": 2, "channel": 2, "deepfake_probability": 0.91, "verdict": "likely_deepfake",
             "first_heard": 1800.0},
        ],
        "suspicious_segments": [
            {"start": 1805.0, "end": 1830.0, "channel": 2, "voice": 2, "deepfake_probability": 0.97}
        ],
        "provenance": {
            "c2pa": {"present": True, "valid": None, "trusted": False, "signer": HOSTILE, "ai_generated": None},
            "declared": [{"source": "encoder", "text": HOSTILE}],
        },
    }  # fmt: skip


@pytest.mark.parametrize("language", sorted(words()))
def test_a_call_with_two_voices_and_claims(tmp_path: Path, opened: Opener, language: str) -> None:
    say = words()[language]
    document = {
        "file": {"name": HOSTILE, "bytes": 1},
        "results": [
            {"kind": "audio", "report": call(), "problem": None, "pictures": None},
            {"kind": "pitch", "report": None, "problem": {"detail": HOSTILE}, "pictures": None},
        ],
    }
    path = tmp_path / "call.html"
    path.write_text(render(document, title=HOSTILE, plain=HOSTILE, lang=language))
    with opened(path.as_uri(), offline=True) as page:
        assert page.locator("img").count() == 0
        lanes = page.locator(".lanes li")
        expect(lanes).to_have_count(2)
        expect(lanes.nth(1)).to_contain_text(say["channel.2"])
        expect(lanes.nth(1)).to_contain_text("30:00")
        bar, lane = lanes.nth(1).locator(".bar").bounding_box(), lanes.nth(1).locator(".lane").bounding_box()
        assert bar is not None
        assert lane is not None
        assert bar["x"] - lane["x"] == pytest.approx(lane["width"] / 2, abs=2)
        stretch = say["stretch"].replace("{start}", "30:05").replace("{end}", "30:30")
        expect(page.locator(".stretches")).to_contain_text(stretch)
        claims = page.locator("section", has=page.get_by_role("heading", name=say["provenance"]))
        expect(claims).to_contain_text("No mark.")
        expect(claims.locator("dd")).to_have_text(
            [say["yes"], say["unknown"], say["no"], HOSTILE, say["unknown"], HOSTILE]
        )
        expect(page.locator("article").last).to_contain_text(HOSTILE)
        assert violations(page) == []

"""Reads answers with the client that openapi-python-client made for a service that knows another one."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import httpx
from made_client import Client
from made_client.api.default import analyze
from made_client.models import BothReports, BytesReport, PeerReport, Problem
from made_client.types import File

MODEL = {"name": "odd-bytes", "version": "1.0.0", "variant": "fp32"}
PEER = {"probability": 0.7, "verdict": "uncertain", "status": "success", "sha256": "0" * 64, "message": None, "more": 1}
OWN = {
    **PEER, "policy": "balanced", "thresholds": {"likely_authentic": 0.2, "likely_deepfake": 0.8}, "policy_rates": None,
    "model": MODEL, "processing_seconds": 1.0, "provenance": None, "summary": "", "reasons": [],
    "share_of_odd_bytes": 0.7, "bytes_read": 1, "sample_rate": None,
}  # fmt: skip
PROBLEM = {"type": "about:blank", "title": "Too busy", "status": 429, "detail": "later", "request_id": None}


def asked(answer: object) -> object:
    """What the client makes of an answer."""
    client = Client(
        base_url="http://service",
        httpx_args={"transport": httpx.MockTransport(lambda _: httpx.Response(200, json=answer))},
    )
    return analyze.sync(client=client, body=File(payload=b"MEDIA"), peer=True)


def main() -> None:
    assert isinstance(asked(OWN), BytesReport)
    found = asked({"audio": PEER, "video": OWN})
    assert isinstance(found, BothReports)
    assert isinstance(found.audio, PeerReport)
    assert (found.audio.verdict, found.audio["more"]) == ("uncertain", 1)
    assert isinstance(found.video, BytesReport)
    found = asked({"audio": PROBLEM, "video": OWN})
    assert isinstance(found, BothReports)
    assert isinstance(found.audio, Problem)
    assert found.audio.status == 429


if __name__ == "__main__":
    main()

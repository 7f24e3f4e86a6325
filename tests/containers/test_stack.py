"""The local stack as a user starts it: Compose, three doors, and data that stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config

from testbed.servers import free_ports
from tests.containers.engine import compose, docker, published, wait_until
from tests.e2e.test_answers import assert_contract

PROJECT = "silver-guardian-test"
SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@dataclass(frozen=True)
class Stack:
    environment: dict[str, str]

    def base(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.environment[f'{kind.upper()}_PORT']}"

    def compose(self, *arguments: str, check: bool = True) -> str:
        return compose(*arguments, environment=self.environment, check=check)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    ports = dict(zip(("AUDIO_PORT", "VIDEO_PORT", "S3_PORT", "QUEUE_PORT"), map(str, free_ports(4)), strict=True))
    running = Stack({**ports, "COMPOSE_PROJECT_NAME": PROJECT})
    try:
        running.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "240")
        yield running
    finally:
        print(running.compose("logs", "--tail", "40", check=False))
        running.compose("--profile", "*", "down", "--volumes", "--timeout", "10", check=False)


def test_only_the_services_listen_beyond_loopback() -> None:
    config = json.loads(docker("compose", "--profile", "*", "config", "--format", "json"))
    open_ports = {name for name, hosts in published(config).items() if any(host != "127.0.0.1" for host in hosts)}
    assert open_ports == {"audio-analyzer", "video-analyzer"}
    for name, service in config["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_each_service_asks_the_other(stack: Stack) -> None:
    for kind in ("audio", "video"):
        with (SAMPLES / "talk.mp4").open("rb") as file:
            answer = httpx.post(
                f"{stack.base(kind)}/analyze", params={"peer": "true"}, files={"file": file}, timeout=120
            )
        assert {name: report.get("verdict") is not None for name, report in answer.json().items()} == {
            "audio": True,
            "video": True,
        }


def test_the_demo_gets_every_verdict(stack: Stack) -> None:
    table = stack.compose("run", "--rm", "-T", "demo")
    rows = [line.split() for line in table.splitlines() if line.startswith(("upload", "s3", "queue"))]
    assert sorted({(row[0], row[1]) for row in rows}) == [
        (door, kind) for door in ("queue", "s3", "upload") for kind in ("audio", "video")
    ]


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_http_contract(stack: Stack, kind: str) -> None:
    base = stack.base(kind)
    health = httpx.get(f"{base}/health")
    assert health.status_code == 200
    assert health.json()["status"] == "healthy"
    assert httpx.get(f"{base}/ready").status_code == 200
    assert httpx.get(f"{base}/docs").status_code == 200
    assert "silver_guardian_ready" in httpx.get(f"{base}/metrics").text
    clip = SAMPLES / "talk.mp4"
    with clip.open("rb") as file:
        answer = httpx.post(f"{base}/analyze", files={"file": (clip.name, file)}, timeout=120)
    assert answer.status_code == 200, answer.text
    assert_contract(kind, answer.json())
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"s3_bucket": "uploads", "s3_key": "samples/talk.mp4"}, 200),
        ({"s3_bucket": "uploads", "s3_key": "nowhere"}, 404),
        ({"s3_bucket": "others", "s3_key": "x"}, 403),
        ({"s3_bucket": "uploads"}, 400),
    ],
)
def test_s3_requests(stack: Stack, body: dict[str, str], status: int) -> None:
    for kind in ("audio", "video"):
        answer = httpx.post(f"{stack.base(kind)}/analyze", json=body, timeout=120)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail", "request_id"} <= set(answer.json())


def test_text_is_not_media(stack: Stack) -> None:
    answer = httpx.post(f"{stack.base('audio')}/analyze", files={"file": ("a.wav", b"hello" * 100)}, timeout=60)
    assert answer.status_code == 415


def test_objects_survive_a_restart_of_the_store(stack: Stack) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{stack.environment['S3_PORT']}",
        region_name="us-east-1",
        aws_access_key_id="local-only",
        aws_secret_access_key="local-only-secret",
        config=Config(s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=5, retries={"max_attempts": 1}),
    )
    s3.put_object(Bucket="uploads", Key="kept", Body=b"kept")
    stack.compose("restart", "--timeout", "10", "s3")

    def read() -> bool:
        try:
            return bool(s3.get_object(Bucket="uploads", Key="kept")["Body"].read() == b"kept")
        except Exception:
            return False

    wait_until(read, 60)

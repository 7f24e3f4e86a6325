"""The worker as a process of its own: its probes, its metrics and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from testbed.running import wait_for
from testbed.servers import free_ports

from .conftest import Bench


@contextmanager
def process(bench: Bench, queue_url: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A worker on the queue, and the address of its probes."""
    (port,) = free_ports(1)
    environment = {
        "SG_PORT": str(port),
        "SG_QUEUE_URL": queue_url,
        "SG_S3_ALLOW": bench.bucket,
        "SG_WORK_DIR": str(bench.folder),
        "SG_QUEUE_WAIT_SECONDS": "1",
        "SG_GRACE_SECONDS": "20",
    }
    command = [sys.executable, "-m", "benchmarks.faults.worker"]
    worker = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        yield worker, f"http://127.0.0.1:{port}"
    finally:
        worker.kill()
        worker.wait()


def answers(url: str, status: int = 200) -> bool:
    try:
        return httpx.get(url).status_code == status
    except httpx.TransportError:
        return False


def test_a_worker_can_be_probed_and_ends_in_order(bench: Bench) -> None:
    bench.put("a", b"MEDIAfine 1")
    bench.ask("a")
    with process(bench, bench.queue.url) as (worker, base):
        wait_for(lambda: answers(base + "/ready"), 60)
        assert httpx.get(base + "/health").json()["service"] == "video-analyzer"
        assert httpx.post(base + "/analyze").status_code == 404
        bench.wait_empty()
        assert 'silver_guardian_queue_results_total{outcome="succeeded"} 1.0' in httpx.get(base + "/metrics").text
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert len(bench.results()) == 1


def test_a_worker_ends_where_its_queue_cannot_be_served(bench: Bench) -> None:
    plain = bench.sqs.create_queue(QueueName=bench.bucket + "-plain")["QueueUrl"]
    with process(bench, plain) as (worker, _):
        assert worker.wait(60) != 0

"""Holding messages, giving them back, noticing stuck threads, stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.aws.sqs import SqsQueue
from sg_common.backoff import Pace
from sg_common.errors import SettingsError, Unavailable
from sg_common.observability import Metrics
from sg_common.worker.app import work
from sg_common.worker.metrics import WorkerMetrics
from sg_common.worker.slot import Slot

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import wait_for

from .conftest import VISIBILITY_SECONDS, Bench, settle

Metric = Callable[..., float]


def test_a_message_stays_hidden_while_it_is_worked_on(bench: Bench, metric: Metric) -> None:
    analyzer = BytesAnalyzer()
    bench.put("long", b"MEDIAwait ")
    with bench.worker(analyzer) as host:
        bench.ask("long")
        wait_for(analyzer.started.is_set)
        settle(VISIBILITY_SECONDS + 1.5)
        assert bench.counts() == (0, 1)
        analyzer.let_go.set()
        bench.wait_empty()
        assert metric(host, "received_total") == 1
    assert len(bench.results()) == 1


def test_its_decoders_are_the_hosts(bench: Bench) -> None:
    class Seeing(BytesAnalyzer):
        def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
            self.seen = job.decoders
            return super().analyze(path, options, job)

    analyzer = Seeing()
    bench.put("a", b"MEDIA")
    with bench.worker(analyzer) as host:
        bench.ask("a")
        bench.wait_empty()
        assert analyzer.seen is host.decoders


def test_no_more_is_received_than_can_be_worked_on(bench: Bench) -> None:
    analyzer = BytesAnalyzer()
    for name in "abcd":
        bench.put(name, b"MEDIAwait ")
        bench.ask(name)
    with bench.worker(analyzer, max_concurrency=2):
        wait_for(lambda: bench.counts() == (2, 2))
        settle()
        assert bench.counts() == (2, 2)
        analyzer.let_go.set()
        bench.wait_empty()
    assert len(bench.results()) == 4


def test_a_draining_worker_finishes_what_fits(bench: Bench) -> None:
    analyzer = BytesAnalyzer()
    bench.put("a", b"MEDIAwait ")
    bench.ask("a")
    with bench.worker(analyzer, grace=30) as host:
        wait_for(analyzer.started.is_set)
        host.drain()
        bench.put("b")
        bench.ask("b")
        settle(1.5)
        analyzer.let_go.set()
    assert [result["source"]["s3_key"] for result in bench.results().values()] == ["a"]
    assert bench.counts() == (1, 0)


def test_a_draining_worker_hands_back_what_does_not_fit(bench: Bench, metric: Metric) -> None:
    analyzer = BytesAnalyzer()
    bench.put("a", b"MEDIAwait ")
    bench.ask("a")
    with bench.worker(analyzer, grace=2, queue_visibility_seconds=600) as host:
        wait_for(analyzer.started.is_set)
    assert metric(host, "messages_total", outcome="handed_back") == 1
    assert bench.results() == {}
    assert bench.counts() == (1, 0), "the message must be there for others at once"
    analyzer.let_go.set()
    with bench.worker(analyzer):
        bench.wait_empty()
    assert len(bench.results()) == 1


def test_a_killed_worker_s_message_is_done_by_another(bench: Bench) -> None:
    bench.put("a")
    bench.ask("a")
    # What a killed worker leaves behind: a message that was received and never heard of again.
    received = bench.sqs.receive_message(QueueUrl=bench.queue.url, VisibilityTimeout=2)["Messages"]
    assert len(received) == 1
    with bench.worker():
        bench.wait_empty()
    assert len(bench.results()) == 1


def test_a_deadline_returns_the_message(bench: Bench, metric: Metric) -> None:
    bench.put("slow", b"MEDIAwait ")
    bench.ask("slow")
    with bench.worker(queue_job_seconds=0.5) as host:
        bench.wait_empty()
        assert metric(host, "messages_total", outcome="retried") == 3
    assert len(bench.dead()) == 1


def test_a_stuck_slot_makes_the_worker_look_dead() -> None:
    slot = Slot("slot 1", WorkerMetrics(Metrics("test")))
    slot.check_alive()
    with slot.stage("analyse", 0.05):
        slot.check_alive()
        time.sleep(0.1)
        with pytest.raises(Unavailable, match=r"slot 1 is stuck: 'analyse'"):
            slot.check_alive()
    slot.check_alive()


def test_a_worker_whose_thread_has_ended_looks_dead(bench: Bench) -> None:
    with bench.worker() as host:
        wait_for(lambda: len(host._threads) == 2)
        host.check_alive()
        ended = next(iter(host._threads))
        host._threads.append(type(ended)(target=lambda: None))
        with pytest.raises(Unavailable, match="has ended"):
            host.check_alive()
        host._threads.pop()


def test_pauses_grow_with_failures_and_end_with_success() -> None:
    pace = Pace(1.0, 10.0)
    assert pace.seconds == 0
    for longest in (1, 2, 4, 8, 10, 10):
        pace.failed()
        assert longest / 2 <= pace.seconds <= longest
    pace.succeeded()
    assert math.isclose(pace.seconds, 0)


def test_a_queue_without_dead_letters_is_refused(bench: Bench) -> None:
    url = bench.sqs.create_queue(QueueName=bench.bucket + "-plain")["QueueUrl"]
    with pytest.raises(SettingsError, match="dead-letter"):
        SqsQueue(url, 30, 1).check()
    with pytest.raises(SettingsError, match="there is no queue"):
        SqsQueue(url + "-missing", 30, 1).check()
    assert SqsQueue(bench.queue.url, 30, 1).check() == 3


def test_a_worker_needs_a_queue_and_buckets() -> None:
    for settings, name in (({}, "SG_QUEUE_URL"), ({"queue_url": "http://q"}, "SG_S3_ALLOW")):
        service = bytes_service(None, **settings)
        with pytest.raises(SettingsError, match=name):
            work(service, service.settings())

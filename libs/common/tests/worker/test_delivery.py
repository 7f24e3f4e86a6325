"""A message is hidden while it is worked on, and never again once it was given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sg_common.aws.sqs import Message, SqsQueue
from sg_common.aws.tasks import StepFunctionsTasks
from sg_common.errors import Cancelled, NotMedia, SettingsError
from sg_common.observability import Metrics
from sg_common.settings import ServiceSettings
from sg_common.worker.delivery import Deliveries, Delivery
from sg_common.worker.host import WorkerHost
from sg_common.worker.messages import Order
from sg_common.worker.metrics import WorkerMetrics

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import wait_for

from .conftest import Bench

MESSAGE = Message("m1", "receipt", "{}", 1, 0.0)


class Sqs:
    """Stands for SQS's client: keeps what it is asked, in order; extending may be held up."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.extending = threading.Event()
        self.let_go = threading.Event()

    def change_message_visibility_batch(self, **_: Any) -> dict[str, Any]:
        self.extending.set()
        self.let_go.wait(20)
        self.calls.append("extended")
        return {}

    def change_message_visibility(self, **fields: Any) -> None:
        self.calls.append(f"back in {fields['VisibilityTimeout']} s")


@pytest.fixture
def sqs() -> Sqs:
    return Sqs()


@pytest.fixture
def deliveries(sqs: Sqs, monkeypatch: pytest.MonkeyPatch) -> Deliveries:
    monkeypatch.setattr("sg_common.aws.sqs.make_client", lambda *_, **__: sqs)
    return Deliveries(SqsQueue("http://q"), StepFunctionsTasks(), ServiceSettings(), WorkerMetrics(Metrics("test")))


@pytest.mark.parametrize(
    "back",
    [
        lambda deliveries, delivery: deliveries.give_back(delivery, Cancelled("stopping")),
        lambda deliveries, delivery: deliveries.hand_back(delivery),
    ],
)
def test_an_extension_under_way_ends_before_the_message_is_given_back(
    sqs: Sqs, deliveries: Deliveries, back: Callable[[Deliveries, Delivery], None]
) -> None:
    delivery = Delivery(MESSAGE, Order())
    with ThreadPoolExecutor(2) as pool, deliveries.keeping(delivery):
        extension = pool.submit(deliveries.extend)
        assert sqs.extending.wait(20)
        returning = pool.submit(back, deliveries, delivery)
        assert sqs.calls == []
        sqs.let_go.set()
        extension.result(20)
        returning.result(20)
        assert sqs.calls == ["extended", "back in 0 s"]
        deliveries.extend()
    assert sqs.calls == ["extended", "back in 0 s"], "it was hidden again after it was given back"


def test_what_nothing_can_answer_comes_back_later(sqs: Sqs, deliveries: Deliveries) -> None:
    deliveries.give_back(Delivery(MESSAGE, Order()), NotMedia("a text"))
    (call,) = sqs.calls
    assert call.startswith("back in ")
    assert call != "back in 0 s"


def test_a_worker_that_gives_up_keeps_nothing_hidden(bench: Bench) -> None:
    analyzer = BytesAnalyzer()
    bench.put("a", b"MEDIAwait ")
    bench.ask("a")
    with bench.worker(analyzer) as host:
        wait_for(analyzer.started.is_set)
        (slot,) = [slot for slot in host._slots if slot.delivery]
        # A thread that heeds no cancellation, such as one inside a call that never returns.
        slot.cancel = lambda: None  # type: ignore[method-assign]
        host.drain()
        host.finish(0.2)
        assert host._deliveries._kept == set()
        wait_for(lambda: bench.counts() == (1, 0))
        analyzer.let_go.set()
        for thread in host._threads:
            thread.join(20)


@pytest.mark.parametrize(
    "policy", ['{"deadLetterTargetArn": "arn"}', '{"maxReceiveCount": "many"}', "[]", "no json", "5"]
)
def test_a_redrive_policy_without_a_count_is_refused(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Attributes:
        def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
            return {"Attributes": {"RedrivePolicy": policy}}

    monkeypatch.setattr("sg_common.aws.sqs.make_client", lambda _: Attributes())
    with pytest.raises(SettingsError, match="maxReceiveCount"):
        SqsQueue("http://q").check()


@pytest.mark.parametrize("error", [SettingsError("no dead letters"), ZeroDivisionError()])
def test_a_worker_is_not_ready_when_it_cannot_start(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise error

    monkeypatch.setattr(Deliveries, "check", refuse)
    service = bytes_service(work_dir=bench.folder, s3_allow=bench.bucket, max_concurrency=1)
    host = WorkerHost(service, service.settings(), bench.queue.url)
    failures: list[Exception] = []
    host.load_in_background(failures.append)
    wait_for(lambda: failures == [error])
    assert host.status == "loading"
    assert host._threads == []
    host.close()

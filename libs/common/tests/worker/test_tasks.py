"""Step Functions that wait for a worker: real state machines, run by the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sg_common.aws.tasks import MAX_OUTPUT_BYTES, StepFunctionsTasks
from sg_common.errors import QueueUnavailable

from testbed.analyzer import BytesAnalyzer
from testbed.running import wait_for

from .conftest import Bench, settle

HEARTBEAT_SECONDS = 12


class Machine:
    """A state machine of one task: send a message with the task's token, and wait."""

    def __init__(self, bench: Bench, heartbeat_seconds: int = 60) -> None:
        self._sfn = bench.aws.client("stepfunctions")
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "HeartbeatSeconds": heartbeat_seconds,
            "Parameters": {
                "QueueUrl": bench.queue.url,
                "MessageBody": {"s3_bucket": bench.bucket, "s3_key.$": "$.key", "task_token.$": "$$.Task.Token"},
            },
            "End": True,
        }
        definition = json.dumps({"StartAt": "Analyse", "States": {"Analyse": task}})
        role = "arn:aws:iam::123456789012:role/states"
        made = self._sfn.create_state_machine(name=bench.bucket, definition=definition, roleArn=role)
        self._arn = made["stateMachineArn"]

    def start(self, key: str) -> str:
        arn: str = self._sfn.start_execution(stateMachineArn=self._arn, input=json.dumps({"key": key}))["executionArn"]
        return arn

    def look(self, execution: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._sfn.describe_execution(executionArn=execution)
        return answer

    def end(self, execution: str) -> dict[str, Any]:
        wait_for(lambda: self.look(execution)["status"] != "RUNNING", 60)
        return self.look(execution)


def test_a_waiting_task_gets_the_result(bench: Bench) -> None:
    bench.put("a")
    machine = Machine(bench)
    with bench.worker():
        end = machine.end(machine.start("a"))
        bench.wait_empty()
    assert end["status"] == "SUCCEEDED"
    ((key, result),) = bench.results().items()
    assert json.loads(end["output"]) == {**result, "result": {"s3_bucket": bench.bucket, "s3_key": key}}


@pytest.mark.parametrize(("data", "code"), [(b"a text", "not-media"), (None, "not-found")])
def test_a_waiting_task_is_told_what_failed(bench: Bench, data: bytes | None, code: str) -> None:
    if data is not None:
        bench.put("a", data)
    machine = Machine(bench)
    with bench.worker():
        end = machine.end(machine.start("a"))
        bench.wait_empty()
    assert (end["status"], end["error"]) == ("FAILED", code)
    assert len(bench.dead()) == (data is None)


def test_a_long_task_gets_heartbeats(bench: Bench) -> None:
    analyzer = BytesAnalyzer()
    bench.put("a", b"MEDIAwait ")
    machine = Machine(bench, heartbeat_seconds=HEARTBEAT_SECONDS)
    with bench.worker(analyzer):
        execution = machine.start("a")
        wait_for(analyzer.started.is_set, 60)
        settle(HEARTBEAT_SECONDS + 2)
        assert machine.look(execution)["status"] == "RUNNING"
        analyzer.let_go.set()
        assert machine.end(execution)["status"] == "SUCCEEDED"


def test_a_task_that_has_ended_meanwhile_is_no_failure(bench: Bench) -> None:
    bench.put("a")
    bench.ask("a", task_token="long-gone")
    with bench.worker():
        bench.wait_empty()
    assert len(bench.results()) == 1
    assert bench.dead() == []


class Recorder:
    """Stands for the client: keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_task_success(self, **fields: Any) -> None:
        self.sent.append(fields)

    def send_task_failure(self, **fields: Any) -> None:
        self.sent.append(fields)

    def send_task_heartbeat(self, **_: Any) -> None:
        raise OSError


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("sg_common.aws.tasks.make_client", lambda *_, **__: recorder)
    return recorder


def test_an_output_too_large_for_a_task_loses_its_lists(recorder: Recorder) -> None:
    short = {"status": "success", "deepfake_probability": 0.2, "model": {"name": "m"}}
    StepFunctionsTasks().succeed("t", short | {"segments": ["가" * 1000] * 200})
    assert len(recorder.sent[0]["output"].encode()) < MAX_OUTPUT_BYTES
    assert json.loads(recorder.sent[0]["output"]) == short | {"truncated": True}


@pytest.mark.usefixtures("recorder")
def test_a_failing_step_functions_is_worth_another_try() -> None:
    failed: list[str] = []
    with pytest.raises(QueueUnavailable):
        StepFunctionsTasks(failed.append).heartbeat("t")
    assert failed == ["send_task_heartbeat"]

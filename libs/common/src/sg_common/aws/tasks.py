"""Step Functions tasks that wait for a message's answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from sg_common.aws.client import make_client, queue_errors

MAX_OUTPUT_BYTES = 262_144
MAX_CAUSE_CHARACTERS = 32_768
_OVER = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class StepFunctionsTasks:
    """Answers task tokens. A task that has ended meanwhile is no failure.

    Every method raises `QueueUnavailable` when Step Functions does not answer.

    Args:
        on_error: told the operation's name whenever Step Functions fails it.
    """

    def __init__(self, on_error: Callable[[str], None] = lambda _: None) -> None:
        self._on_error = on_error

    @cached_property
    def _client(self) -> Any:
        return make_client("stepfunctions", read_timeout=10)

    def succeed(self, token: str, document: dict[str, Any]) -> None:
        """Tell the task its output: the whole document where it fits, else without its lists and marked as such."""
        output = json.dumps(document)
        if len(output.encode()) > MAX_OUTPUT_BYTES:
            short = {name: value for name, value in document.items() if not isinstance(value, list)}
            output = json.dumps(short | {"truncated": True})
        with self._errors("send_task_success"):
            self._client.send_task_success(taskToken=token, output=output)

    def fail(self, token: str, code: str, cause: str) -> None:
        """Tell the task that it failed."""
        with self._errors("send_task_failure"):
            self._client.send_task_failure(taskToken=token, error=code[:256], cause=cause[:MAX_CAUSE_CHARACTERS])

    def heartbeat(self, token: str) -> None:
        """Tell the task that it is being worked on."""
        with self._errors("send_task_heartbeat"):
            self._client.send_task_heartbeat(taskToken=token)

    def _errors(self, operation: str) -> AbstractContextManager[None]:
        return queue_errors("Step Functions", operation, self._on_error, harmless=_OVER)

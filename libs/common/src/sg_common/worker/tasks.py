"""Step Functions tasks that wait for a message's answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sg_common.errors import QueueUnavailable, ServiceError
from sg_common.sources.s3 import S3Object, make_client
from sg_common.worker.results import Document

log = logging.getLogger(__name__)

MAX_OUTPUT_BYTES = 262_144
MAX_CAUSE_CHARACTERS = 32_768
_OVER = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}
_SUMMARY = ("status", "verdict", "message", "model", "source", "deepfake_probability", "manipulation_probability")


class StepFunctionsTasks:
    """Answers task tokens. A task that has ended meanwhile is no failure: the result lies in S3 in any case."""

    def __init__(
        self,
        on_error: Callable[[str], None] = lambda _: None,
        client: Callable[[], Any] = lambda: make_client("stepfunctions", read_timeout=10),
    ) -> None:
        self._on_error = on_error
        self._make_client = client
        self._made: Any = None

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = self._make_client()
        return self._made

    def answer(self, token: str, document: Document, place: S3Object) -> None:
        """Tell the task its result: the whole document where it fits, else its summary; `result` says where it lies.

        Raises:
            QueueUnavailable: Step Functions does not answer.
        """
        if document.get("status") == "failed":
            problem = document.get("problem", {})
            code = str(problem.get("type", "failed")).rpartition(":")[2]
            self._fail(token, code, str(problem.get("detail", "")))
            return
        pointer = {"result": {"s3_bucket": place.bucket, "s3_key": place.key}}
        output = json.dumps({**document, **pointer})
        if len(output.encode()) > MAX_OUTPUT_BYTES:
            summary = {name: document[name] for name in _SUMMARY if name in document}
            output = json.dumps({**summary, **pointer, "truncated": True})
        with self._translated("send_task_success"):
            self._client.send_task_success(taskToken=token, output=output)

    def fail(self, token: str, error: ServiceError) -> None:
        """Tell the task that it failed.

        Raises:
            QueueUnavailable: Step Functions does not answer.
        """
        self._fail(token, error.code, error.detail)

    def _fail(self, token: str, code: str, cause: str) -> None:
        with self._translated("send_task_failure"):
            self._client.send_task_failure(taskToken=token, error=code[:256], cause=cause[:MAX_CAUSE_CHARACTERS])

    def heartbeat(self, token: str) -> None:
        """Tell the task that it is being worked on.

        Raises:
            QueueUnavailable: Step Functions does not answer.
        """
        with self._translated("send_task_heartbeat"):
            self._client.send_task_heartbeat(taskToken=token)

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, OSError) as error:
            code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
            if code in _OVER:
                log.info("the task has ended meanwhile", extra={"operation": operation, "cause": code})
                return
            self._on_error(operation)
            cause = code or type(error).__name__
            log.warning("Step Functions failed", extra={"operation": operation, "cause": cause})
            raise QueueUnavailable(f"Step Functions did not answer ({cause})", code_of_store=code) from error

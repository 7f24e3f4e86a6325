"""An SQS queue."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sg_common.aws.client import make_client, queue_errors
from sg_common.errors import QueueUnavailable, SettingsError

log = logging.getLogger(__name__)

_BATCH = 10
_SEND_ATTEMPTS = 4
_LONGEST_SECONDS = 43_200
_KEEPER_READ_SECONDS = 5
_NO_SUCH_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
_DENIED = {"AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True)
class Message:
    """A received message. `age_seconds` since it was first sent; `receives` counts this receive."""

    identifier: str
    receipt: str
    body: str
    receives: int
    age_seconds: float


class SqsQueue:
    """One queue. Safe to use from several threads.

    Args:
        url: the queue's URL.
        visibility_seconds: for how long, at least, a received message is hidden from others, unless extended.
        wait_seconds: how long a poll waits for a message.
        on_error: told the operation's name whenever SQS fails it.
    """

    def __init__(
        self,
        url: str,
        visibility_seconds: int = 30,
        wait_seconds: int = 0,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.url = url
        self._visibility_seconds = visibility_seconds
        self._wait_seconds = wait_seconds
        self._on_error = on_error

    @cached_property
    def _client(self) -> Any:
        return make_client("sqs")

    @cached_property
    def _keeper(self) -> Any:
        # Extensions must not wait long: the next try has to come before the message reappears.
        return make_client("sqs", read_timeout=_KEEPER_READ_SECONDS, attempts=2)

    def check(self) -> int | None:
        """After how many receives SQS moves a message to the dead-letter queue; None where it may not be read.

        Raises:
            SettingsError: there is no such queue, or it has no dead-letter queue: a poison message would never end.
            QueueUnavailable: SQS does not answer.
        """
        try:
            with self._errors("attributes"):
                answer = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        except QueueUnavailable as error:
            if error.code_of_store in _DENIED:
                log.warning("the queue's attributes may not be read; give it a dead-letter queue")
                return None
            raise self._explained(error) from error
        policy = answer.get("Attributes", {}).get("RedrivePolicy")
        if not policy:
            raise SettingsError(f"SG_QUEUE_URL: {self.url} has no dead-letter queue; a poison message would never end")
        try:
            return int(json.loads(policy)["maxReceiveCount"])
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(f"SG_QUEUE_URL: the redrive policy of {self.url} has no maxReceiveCount") from error

    def send(self, bodies: Sequence[str]) -> None:
        """Send messages.

        Raises:
            SettingsError: there is no such queue.
            QueueUnavailable: SQS does not take them.
        """
        for start in range(0, len(bodies), _BATCH):
            self._send([{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + _BATCH])])

    def _send(self, entries: list[dict[str, str]]) -> None:
        for attempt in range(_SEND_ATTEMPTS):
            try:
                with self._errors("send"):
                    answer = self._client.send_message_batch(QueueUrl=self.url, Entries=entries)
            except QueueUnavailable as error:
                raise self._explained(error) from error
            failed = {failure["Id"] for failure in answer.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in failed]
            if not entries:
                return
            time.sleep(2**attempt / 4)
        raise QueueUnavailable(f"{self.url} refuses {len(entries)} messages; send them again")

    def receive(self) -> Message | None:
        """Wait for one message. One at a time: what is received is worked on at once, never stored up."""
        with self._errors("receive"):
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=self._hidden_seconds(),
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        for found in answer.get("Messages", []):
            attributes = found.get("Attributes", {})
            sent = int(attributes.get("SentTimestamp", 0)) / 1000 or time.time()
            return Message(
                identifier=found["MessageId"],
                receipt=found["ReceiptHandle"],
                body=found["Body"],
                receives=int(attributes.get("ApproximateReceiveCount", 1)),
                # This machine's clock may be behind the queue's.
                age_seconds=max(0.0, time.time() - sent),
            )
        return None

    def extend(self, messages: Sequence[Message]) -> list[Message]:
        """Hide messages for another visibility time; those that could not be."""
        failed: list[Message] = []
        for start in range(0, len(messages), _BATCH):
            batch = messages[start : start + _BATCH]
            entries = [
                {"Id": str(index), "ReceiptHandle": message.receipt, "VisibilityTimeout": self._hidden_seconds()}
                for index, message in enumerate(batch)
            ]
            with self._errors("extend"):
                answer = self._keeper.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
            failed += [batch[int(failure["Id"])] for failure in answer.get("Failed", [])]
        return failed

    def give_back(self, message: Message, after_seconds: float = 0) -> None:
        """Let others see the message again, `after_seconds` from now."""
        with self._errors("give_back"):
            self._client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=round(after_seconds)
            )

    def delete(self, message: Message) -> None:
        """Acknowledge the message."""
        with self._errors("delete"):
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)

    def _hidden_seconds(self) -> int:
        """Half as long again at most: what a fatal file's worker held must not come back together with that file."""
        return min(_LONGEST_SECONDS, round(self._visibility_seconds * random.uniform(1.0, 1.5)))  # noqa: S311 - jitter

    def _errors(self, operation: str) -> AbstractContextManager[None]:
        return queue_errors("SQS", operation, self._on_error)

    def _explained(self, error: QueueUnavailable) -> Exception:
        """A queue that does not exist is no outage: somebody configured a wrong address."""
        missing = error.code_of_store in _NO_SUCH_QUEUE
        return SettingsError(f"there is no queue {self.url}") if missing else error

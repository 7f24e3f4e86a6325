"""Objects on their way to the workers' queues, and their results on the way back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sg_common.analysis import AnalysisOptions
from sg_common.aws.objects import ObjectStore, S3Object, S3Version
from sg_common.aws.sqs import SqsQueue
from sg_common.results import Result, ResultName, ResultStore
from sg_common.sources.request import S3Message

_POLL_SECONDS = 2.0


@dataclass
class Item:
    """One object for one kind of worker. `known`: versions of models whose results do not count."""

    version: S3Version
    kind: str
    options: AnalysisOptions
    known: set[str] = field(default_factory=set)
    result: Result | None = None

    @property
    def name(self) -> str:
        return str(self.version.target)

    def message(self) -> str:
        """Our own message for it."""
        target = self.version.target
        message = S3Message(
            s3_bucket=target.bucket,
            s3_key=target.key,
            version_id=self.version.version_id,
            **self.options.model_dump(),
        )
        return message.model_dump_json(exclude_defaults=True)


class Submission:
    """The queues of several kinds of workers, and the store where their results come to lie.

    Every method raises `ServiceError` when the store or a queue does not do what it is asked.

    Args:
        queues: the addresses of the queues, by kind.
    """

    def __init__(self, queues: Mapping[str, str], results_prefix: str) -> None:
        self._queues = {kind: SqsQueue(url) for kind, url in queues.items()}
        self._store = ObjectStore()
        self._results = ResultStore(self._store, results_prefix)

    def items(self, addresses: Sequence[str], options: Mapping[str, AnalysisOptions]) -> list[Item]:
        """Every object at these addresses (`s3://BUCKET/KEY`, or a folder `s3://BUCKET/KEY/`), for every queue.

        Args:
            options: by kind.
        """
        versions = [version for address in addresses for version in self._versions(address)]
        return [Item(version, kind, options[kind]) for version in versions for kind in self._queues]

    def _versions(self, address: str) -> Iterator[S3Version]:
        target = S3Object.parse(address)
        if target.key and not target.key.endswith("/"):
            yield self._store.stat(target)
            return
        for found, _ in self._store.keys(target.bucket, target.key):
            if self._results.is_media(found):
                yield self._store.stat(S3Object(target.bucket, found))

    def disregard_known(self, item: Item) -> None:
        """From now on, results of the models that have answered for this item do not count."""
        item.known = {name.model_version for name, _ in self._named(item)}

    def look(self, item: Item) -> None:
        """Read the item's newest result, if there is one that counts."""
        for name, place in self._named(item):
            if name.model_version not in item.known:
                item.result = self._results.read(place)
                return

    def _named(self, item: Item) -> list[tuple[ResultName, S3Object]]:
        named = self._results.named(item.version)
        return [(name, place) for name, place in named if (name.kind, name.options) == (item.kind, item.options)]

    def send(self, items: Sequence[Item]) -> None:
        """Send a message for each item."""
        for kind, queue in self._queues.items():
            queue.send([item.message() for item in items if item.kind == kind])

    def wait(self, items: Sequence[Item], timeout: float, on_progress: Callable[[int], None]) -> None:
        """Look for the items' results until all are there, or for `timeout` seconds.

        Args:
            on_progress: told how many are there.
        """
        end = time.monotonic() + timeout
        waiting = list(items)
        while waiting and time.monotonic() < end:
            for item in waiting:
                self.look(item)
            waiting = [item for item in waiting if item.result is None]
            on_progress(len(items) - len(waiting))
            if waiting:
                time.sleep(min(_POLL_SECONDS, max(0.0, end - time.monotonic())))

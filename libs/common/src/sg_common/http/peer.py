"""The service that judges the other half of a file (a video's sound or its picture), asked by HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_common.analysis import AnalysisOptions, Stage, Status
from sg_common.errors import DeadlineExceeded, Unavailable
from sg_common.http.preferences import EVENTS
from sg_common.jobs import StageProgress
from sg_common.observability import request_id
from sg_common.problem import Problem, failure_of
from sg_common.verdict import Verdict

if TYPE_CHECKING:  # loaded with the first request that asks for the peer: a service's start need not wait for it
    import httpx

log = logging.getLogger(__name__)

CREDENTIALS = ("X-API-Key", "Authorization")
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 60.0
"""The longest that the peer may be silent: it sends a comment every 15 s."""
_BLOCK_BYTES = 1 << 18


class PeerReport(BaseModel):
    """A report of the other service, whose own description says what else is in it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    probability: float = Field(ge=0, le=1)
    verdict: Verdict
    status: Status
    sha256: str
    message: str | None


class Peer:
    """The other service, at its address.

    Args:
        kind: the kind of stream that it judges.
        url: its address, with the path that a proxy mounts it below.
        seconds: how long one answer may take, the file's way there included.
    """

    def __init__(self, kind: str, url: str, seconds: float) -> None:
        self.kind = kind
        self._url = url.rstrip("/")
        self._seconds = seconds

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415

        # A neighbour, not a place in the internet: no proxy of the environment leads to it.
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None)
        return httpx.AsyncClient(timeout=timeout, trust_env=False)

    async def judge(
        self,
        path: Path,
        options: AnalysisOptions,
        credentials: Mapping[str, str],
        on_progress: Callable[[StageProgress], None],
    ) -> PeerReport:
        """Send it a file and wait for its report.

        Args:
            credentials: the caller's headers that name its key.

        Raises:
            ServiceError: as the peer says; Unavailable or DeadlineExceeded where it says nothing.
        """
        import httpx  # noqa: PLC0415

        size = (await asyncio.to_thread(path.stat)).st_size
        headers = {
            **credentials,
            "Accept": EVENTS,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "X-Request-ID": request_id.get() or "",
        }
        chosen = {name: str(value) for name, value in options.model_dump(exclude_unset=True).items()}
        address, content = f"{self._url}/analyze", _blocks(path, size, on_progress)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", address, params=chosen, headers=headers, content=content) as answer,
            ):
                if not answer.headers.get("content-type", "").startswith(EVENTS):
                    raise failure_of(Problem.model_validate_json(await answer.aread()))
                return await self._outcome(answer.aiter_lines(), on_progress)
        except TimeoutError as error:
            raise DeadlineExceeded(f"the {self.kind} service did not answer within {self._seconds:g} s") from error
        except httpx.HTTPError as error:
            log.warning("the peer does not answer", extra={"peer": self._url, "cause": repr(error)})
            raise Unavailable(f"the {self.kind} service does not answer; try again later") from error
        except ValidationError as error:
            log.warning("the peer answers strangely", extra={"peer": self._url, "cause": str(error)})
            raise Unavailable(f"what answers for the {self.kind} service is none, or of another version") from error

    async def _outcome(self, lines: AsyncIterator[str], on_progress: Callable[[StageProgress], None]) -> PeerReport:
        async for name, data in _events(lines):
            match name:
                case "progress":
                    on_progress(StageProgress.model_validate_json(data))
                case "result":
                    return PeerReport.model_validate_json(data)
                case "problem":
                    raise failure_of(Problem.model_validate_json(data))
        raise Unavailable(f"the {self.kind} service broke off; try again")

    async def close(self) -> None:
        if "_client" in vars(self):
            await self._client.aclose()


async def _blocks(path: Path, size: int, on_progress: Callable[[StageProgress], None]) -> AsyncIterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
            yield block
            sent += len(block)
            on_progress(StageProgress(stage=Stage.FETCHING, done=round(min(1.0, sent / size), 4)))


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Name and data of each event; ours have one line of data."""
    name = ""
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, value

"""What the routes share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sg_common.errors import SettingsError, Unavailable
from sg_common.http.job_store import JobStore
from sg_common.http.jobs import Jobs
from sg_common.http.peer import Peer
from sg_common.http.pool import DEADLINE_GRACE_SECONDS, AnalysisPool
from sg_common.service import AnalyzerService
from sg_common.serving.host import ServiceHost
from sg_common.settings import ServiceSettings


class ServiceState(ServiceHost):
    """A host whose work comes by HTTP: so much at a time, and so much may wait.

    Raises:
        SettingsError: the work folder, or the list of jobs in it, cannot be used.
    """

    def __init__(self, service: AnalyzerService, settings: ServiceSettings) -> None:
        super().__init__(service, settings)
        self.pool = AnalysisPool(settings.concurrency(), settings.max_waiting, self.metrics)
        self.peer = self._peer()
        try:
            self.jobs = self._open_jobs() if settings.jobs else None
        except BaseException:
            super().close()
            raise

    def _peer(self) -> Peer | None:
        url, kind = self.settings.peer_url, self.service.peer
        # As long as an own analysis may take: the peer tells its own lateness.
        seconds = self.settings.request_timeout_seconds + DEADLINE_GRACE_SECONDS
        return Peer(kind, url, seconds) if url and kind else None

    def _open_jobs(self) -> Jobs:
        path = self.settings.work_folder(self.service.kind) / f"jobs-{self.service.kind}.sqlite3"
        try:
            store = JobStore(path, self.workspace.folder.name, self.settings.job_ttl_seconds)
            return Jobs(store, self.workspace.living(), self.metrics, self.grace_left)
        except Unavailable as error:
            sentence = f"SG_WORK_DIR: {path} cannot be used ({error.__cause__}); remove it, or set SG_JOBS=off"
            raise SettingsError(sentence) from error

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self.peer is not None:
                stack.push_async_callback(self.peer.close)
            if self.jobs is not None:
                await stack.enter_async_context(self.jobs.running())
            yield

    def close(self) -> None:
        """Cancel what still runs and remove work files."""
        self.drain()
        self.pool.close()
        if self.jobs is not None:
            self.jobs.close()
        super().close()

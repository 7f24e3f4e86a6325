"""What the routes share."""

from __future__ import annotations

from sg_common.http.pool import AnalysisPool
from sg_common.service import AnalyzerService
from sg_common.serving.host import ServiceHost
from sg_common.settings import ServiceSettings


class ServiceState(ServiceHost):
    """A host whose work comes by HTTP: so much at a time, and so much may wait."""

    def __init__(self, service: AnalyzerService, settings: ServiceSettings) -> None:
        super().__init__(service, settings)
        self.pool = AnalysisPool(settings.concurrency(), settings.max_waiting, self.metrics)

    def close(self) -> None:
        """Cancel what still runs and remove work files."""
        self.drain()
        self.pool.close()
        super().close()

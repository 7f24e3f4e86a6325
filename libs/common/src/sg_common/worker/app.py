"""Runs a worker, with probes and metrics on a small HTTP port."""

from __future__ import annotations

from functools import partial

from sg_common.errors import SettingsError
from sg_common.service import AnalyzerService
from sg_common.serving.probes import probed_app
from sg_common.serving.server import run
from sg_common.settings import ServiceSettings
from sg_common.worker.host import WorkerHost


def work(service: AnalyzerService, settings: ServiceSettings) -> None:
    """Serve the queue until a signal.

    Raises:
        ConfigurationError: a setting, the queue, the address or the model bundle cannot work.
    """
    if not settings.queue_url:
        raise SettingsError("SG_QUEUE_URL: the worker needs the URL of its queue")
    if not settings.s3_allow:
        raise SettingsError("SG_S3_ALLOW: the worker needs the buckets that it may read")
    host = WorkerHost(service, settings, settings.queue_url)
    run(host, partial(probed_app, host))

"""The tests' own analyzer, for the campaign: its report is a function of the file's bytes, so that every result can be
checked.

Beside its words (`broken`, `silent`, `bug`) it knows `long`, and `fatal`, which ends the process the way the kernel's
out-of-memory killer does.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Job, Report
from sg_common.settings import ServiceSettings

from testbed.analyzer import BytesAnalyzer, bytes_service

FINE_SECONDS, LONG_SECONDS = 0.1, 9.0


class FaultyAnalyzer(BytesAnalyzer):
    """A file takes its time."""

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
        match path.read_bytes()[5:].split(b" ", 1)[0]:
            case b"fatal":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"long":
                _wait(LONG_SECONDS, job)
            case b"fine":
                _wait(FINE_SECONDS, job)
        return super().analyze(path, options, job)


def _wait(seconds: float, job: Job) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job.check()
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))


def expected(data: bytes) -> dict[str, Any]:
    """What the report says of these bytes."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes_read": len(data)}


SERVICE = replace(bytes_service(), settings=ServiceSettings.from_environment, build=lambda _: FaultyAnalyzer())

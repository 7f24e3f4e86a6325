"""An analyzer for the campaign: a deterministic function of the file's bytes, so that every result can be checked.

A file begins with `MEDIA` and a word: `fine`, `long`, `broken`, `silent`, `bug`, or `fatal`, which ends the process
the way the kernel's out-of-memory killer does.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from sg_common.analysis import AnalysisOptions, Job, LoadedModel, Report, Status
from sg_common.errors import MissingStream, NotMedia, Undecodable
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.verdict import DEFAULT_POLICY, Thresholds, Verdict

KIND = "audio"
MODEL = LoadedModel(name="digest", version="1.0.0", variant="fp32", reason="the only variant")
THRESHOLDS = Thresholds(likely_authentic=0.2, likely_deepfake=0.8)
FINE_SECONDS, LONG_SECONDS = 0.1, 9.0


class DigestReport(Report):
    score_field: ClassVar[str] = "deepfake_probability"

    deepfake_probability: float


def judge(data: bytes, seconds: float = 0.0) -> DigestReport:
    """The report for these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return DigestReport(
        verdict=Verdict.UNCERTAIN,
        status=Status.SUCCESS,
        policy=DEFAULT_POLICY,
        thresholds=THRESHOLDS,
        policy_rates=None,
        sha256=digest,
        model=MODEL,
        processing_seconds=seconds,
        deepfake_probability=int(digest[:8], 16) / 0xFFFFFFFF,
    )


class DigestAnalyzer:
    kind: ClassVar[str] = KIND

    @property
    def model(self) -> LoadedModel:
        return MODEL

    def check(self, options: AnalysisOptions) -> None:
        del options

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
        del options
        data = path.read_bytes()
        if not data.startswith(b"MEDIA"):
            raise NotMedia("the file does not begin with MEDIA")
        match data[5:].split(b" ", 1)[0]:
            case b"broken":
                raise Undecodable("the file is broken")
            case b"silent":
                raise MissingStream("the file has no sound")
            case b"bug":
                raise ZeroDivisionError
            case b"fatal":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"long":
                _wait(LONG_SECONDS, job)
            case _:
                _wait(FINE_SECONDS, job)
        return judge(data, job.elapsed())


def _wait(seconds: float, job: Job) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job.check()
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))


SERVICE = AnalyzerService(
    kind=KIND,
    title="Fault campaign",
    distribution="silver-guardian-common",
    port=0,
    settings=ServiceSettings.from_environment,
    build=lambda _: DigestAnalyzer(),
    report=DigestReport,
)

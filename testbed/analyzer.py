"""A small analyzer for tests of the doors: its answer is a plain function of the file's bytes, and it can be told to
wait. It is never shipped."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any, ClassVar

from sg_common.analysis import (
    UNKNOWN_PROBABILITY,
    AnalysisOptions,
    Job,
    LoadedModel,
    Report,
    Stage,
    Status,
)
from sg_common.errors import InvalidOption, MissingStream, NotMedia, Undecodable
from sg_common.service import AnalyzerService
from sg_common.settings import ServiceSettings
from sg_common.verdict import DEFAULT_POLICY, Policy, Rates, Thresholds, Verdict

THRESHOLDS: dict[Policy, Thresholds] = {
    "low_false_alarm": Thresholds(likely_authentic=0.2, likely_deepfake=0.8),
    "high_recall": Thresholds(likely_authentic=0.1, likely_deepfake=0.3),
}
RATES = Rates(false_alarm_rate=0.04, false_alarm_interval=(0.02, 0.06), detection_rate=0.5)


class BytesReport(Report):
    score_field: ClassVar[str] = "share_of_odd_bytes"

    share_of_odd_bytes: float
    bytes_read: int
    sample_rate: int | None


class BytesAnalyzer:
    """Understands files that begin with `MEDIA`, and these words behind it: `wait`, `broken`, `silent`, `bug`."""

    kind: ClassVar[str] = "video"

    def __init__(self) -> None:
        self.started = threading.Event()
        self.let_go = threading.Event()
        self.ended = threading.Event()
        self.folders: list[Path] = []
        self.stages: list[Stage] = []

    @property
    def model(self) -> LoadedModel:
        return LoadedModel(name="odd-bytes", version="1.0.0", variant="fp32", reason="the only variant")

    def check(self, options: AnalysisOptions) -> None:
        if options.policy not in THRESHOLDS:
            raise InvalidOption(f"policy: this model has not been measured for {options.policy}")

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> Report:
        self.folders.append(path.parent)
        self.stages.append(job.stage)
        self.check(options)
        data = path.read_bytes()
        try:
            self.started.set()
            self._obey(data, job)
        finally:
            self.ended.set()
        share = sum(byte & 1 for byte in data) / len(data) if data else UNKNOWN_PROBABILITY
        return BytesReport(
            verdict=Verdict.UNCERTAIN,
            status=Status.SUCCESS,
            policy=options.policy,
            thresholds=THRESHOLDS[options.policy],
            policy_rates=RATES if options.policy == DEFAULT_POLICY else None,
            sha256=hashlib.sha256(data).hexdigest(),
            model=self.model,
            processing_seconds=job.elapsed(),
            share_of_odd_bytes=share,
            bytes_read=len(data),
            sample_rate=options.sample_rate,
        )

    def _obey(self, data: bytes, job: Job) -> None:
        if not data.startswith(b"MEDIA"):
            raise NotMedia("the file does not begin with MEDIA")
        word = data[5:].split(b" ", 1)[0]
        if word == b"broken":
            raise Undecodable("the file is broken")
        if word == b"silent":
            raise MissingStream("the file has no such stream")
        if word == b"bug":
            raise ZeroDivisionError
        job.progress(len(word), len(data))
        while word == b"wait" and not self.let_go.wait(0.02):
            job.check()


def bytes_service(analyzer: BytesAnalyzer | None = None, **settings: Any) -> AnalyzerService:
    """A service around a `BytesAnalyzer`; `settings` override the environment."""
    return AnalyzerService(
        kind="video",
        title="Test analyzer",
        distribution="silver-guardian-common",
        port=0,
        settings=lambda: ServiceSettings(**settings),
        build=lambda _: analyzer or BytesAnalyzer(),
        report=BytesReport,
        peer="audio",
        options=frozenset({"sample_rate", "policy"}),
    )

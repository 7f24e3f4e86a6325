"""What a service package gives the doors: its kind, its settings, its report and how to build its analyzer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

from sg_common.analysis import AnalysisOptions, Analyzer, Job, Report
from sg_common.settings import ServiceSettings

ENTRY_POINT_GROUP = "silver_guardian.analyzers"

Draw = Callable[[Any, Path, Report, AnalysisOptions, Job], dict[str, Any]]
"""Takes the service's settings, the judged file, its report, the options it was judged with, and a job."""


@dataclass(frozen=True)
class AnalyzerService:
    """A service as the doors see it.

    Attributes:
        kind: the kind of stream that it judges, one word; its package is called `<kind>_analyzer`.
        title: the service's name for people.
        distribution: the installed distribution that carries its version.
        port: the default port.
        settings: reads the service's settings from the environment.
        build: loads the models and returns the analyzer (raises `BundleError`).
        report: the report's class, for the API description.
        options: names of the options that it makes use of; it checks the others and leaves it at that.
        peer: the kind of the service that judges the other half of a file, where there is one.
        draw: draws what a person may look at beside a report, from the judged file, as JSON for the view; None for
            nothing.
    """

    kind: str
    title: str
    distribution: str
    port: int
    settings: Callable[[], ServiceSettings]
    build: Callable[[Any], Analyzer]
    report: type[Report]
    options: frozenset[str] = frozenset()
    draw: Draw | None = None
    peer: str = ""

    def heeded(self, options: AnalysisOptions) -> AnalysisOptions:
        """Those of the options that change this service's answer."""
        return AnalysisOptions.model_validate(options.model_dump(include=set(self.options)))

    @property
    def name(self) -> str:
        return f"{self.kind}-analyzer"

    @property
    def version(self) -> str:
        return version(self.distribution)


def installed_services() -> list[AnalyzerService]:
    """The services that installed packages register as entry points, by kind."""
    found = [entry.load() for entry in entry_points(group=ENTRY_POINT_GROUP)]
    return sorted(found, key=lambda service: service.kind)

"""One worker of the campaign: the shipped door around a chosen analyzer, with a clock that may be wrong."""

from __future__ import annotations

import argparse
import datetime
import sys
import time

import botocore.auth
from sg_common.cli.main import service_main
from sg_common.service import AnalyzerService, installed_services

from benchmarks.faults.analyzer import SERVICE


def set_clock(skew_seconds: float) -> None:
    """Make this process's wall clock, and the time that it signs requests with, wrong by that much."""
    true_time = time.time

    def wrong_datetime(remove_tzinfo: bool = True) -> datetime.datetime:
        now = datetime.datetime.fromtimestamp(true_time() + skew_seconds, datetime.UTC)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    time.time = lambda: true_time() + skew_seconds
    botocore.auth.get_current_datetime = wrong_datetime


def service_named(name: str) -> AnalyzerService:
    """`bytes` (see `benchmarks.faults.analyzer`) or an installed service's kind."""
    if name == "bytes":
        return SERVICE
    return next(service for service in installed_services() if service.kind == name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--analyzer", default="bytes")
    parser.add_argument("--skew", type=float, default=0.0, help="seconds by which the clock is wrong")
    options = parser.parse_args()
    set_clock(options.skew)
    sys.exit(service_main(service_named(options.analyzer), ["worker"]))

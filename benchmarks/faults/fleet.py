"""The campaign's workers: started, killed at random, and started anew, as a cluster does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SKEWS = (0.0, 600.0, -600.0)
"""Clocks of the workers, seconds; S3 refuses signatures that are wrong by more than 15 minutes."""


class Fleet:
    """Worker processes in numbered places."""

    def __init__(self, size: int, analyzer: str, environment: dict[str, str], logs: Path, seed: int) -> None:
        self._analyzer = analyzer
        self._environment = environment
        self._logs = logs
        self._random = random.Random(seed)
        self._started = 0
        self.kills: list[signal.Signals] = []
        self.restarts = 0
        self._ending: list[subprocess.Popen[bytes]] = []
        self._workers = [self._start(place) for place in range(size)]

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        self._started += 1
        skew = SKEWS[place % len(SKEWS)]
        command = [sys.executable, "-m", "benchmarks.faults.worker", "--analyzer", self._analyzer, f"--skew={skew}"]
        with (self._logs / f"worker-{place}-{self._started:03}.log").open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self._environment})

    def tend(self) -> None:
        """Replace workers that have ended by themselves."""
        for place, worker in enumerate(self._workers):
            if worker.poll() is not None:
                self.restarts += 1
                self._workers[place] = self._start(place)

    def kill_one(self) -> signal.Signals:
        """Send one worker TERM or KILL, in turn, and start another in its place at once."""
        place = self._random.randrange(len(self._workers))
        number = (signal.SIGKILL, signal.SIGTERM)[len(self.kills) % 2]
        worker = self._workers[place]
        worker.send_signal(number)
        self.kills.append(number)
        self._ending.append(worker)
        self._workers[place] = self._start(place)
        return number

    def stop(self) -> list[int]:
        """Drain everyone; the exit statuses of those that were asked to end."""
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        statuses = []
        for worker in [*self._workers, *self._ending]:
            try:
                statuses.append(worker.wait(60))
            except subprocess.TimeoutExpired:
                worker.kill()
                statuses.append(worker.wait())
        return statuses


@contextmanager
def running_fleet(size: int, analyzer: str, environment: dict[str, str], logs: Path, seed: int) -> Iterator[Fleet]:
    fleet = Fleet(size, analyzer, environment, logs, seed)
    try:
        yield fleet
    finally:
        fleet.stop()

from __future__ import annotations

import asyncio
import threading

import pytest
from sg_common.analysis import Job
from sg_common.errors import Cancelled, DeadlineExceeded, TooBusy
from sg_common.http.pool import AnalysisPool
from sg_common.observability import Metrics


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    return None


@pytest.fixture
def pool() -> AnalysisPool:
    return AnalysisPool(concurrency=1, waiting=1, metrics=Metrics("test"))


def test_places_are_limited_and_given_back(pool: AnalysisPool) -> None:
    first, second = pool.admit(), pool.admit()
    with pytest.raises(TooBusy) as busy:
        pool.admit()
    assert busy.value.retry_after
    first.let_go()
    pool.admit().let_go()
    second.let_go()
    assert pool.idle


def test_work_runs_in_a_thread_and_releases_its_place(pool: AnalysisPool) -> None:
    with pool.admit() as ticket:
        name = asyncio.run(pool.analyse(ticket, Job(5), lambda: threading.current_thread().name, never()))
    assert name.startswith("analysis")
    pool.close()
    assert pool.idle


def test_failures_reach_the_caller(pool: AnalysisPool) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pool.admit() as ticket, pytest.raises(ValueError, match="no"):
        asyncio.run(pool.analyse(ticket, Job(5), fail, never()))


def test_a_place_outlives_its_timed_out_caller(pool: AnalysisPool) -> None:
    let_go = threading.Event()
    with pool.admit() as ticket, pytest.raises(DeadlineExceeded, match="send a shorter clip"):
        asyncio.run(pool.analyse(ticket, Job(0.05), let_go.wait, never()))
    assert not pool.idle
    let_go.set()
    pool.close()
    assert pool.idle


def test_a_caller_who_leaves_cancels_the_work(pool: AnalysisPool) -> None:
    job = Job(5)
    let_go = threading.Event()
    with pool.admit() as ticket, pytest.raises(Cancelled):
        asyncio.run(pool.analyse(ticket, job, let_go.wait, at_once()))
    assert job.cancelled
    let_go.set()
    pool.close()
    assert pool.idle

from __future__ import annotations

import asyncio
import threading

import pytest
from sg_common.analysis import Job, Stage
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
    job = Job(5, stage=Stage.WAITING)
    with pool.admit() as ticket:
        name = asyncio.run(pool.analyse(ticket, job, lambda: threading.current_thread().name, never()))
    assert job.stage is Stage.ANALYSING
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


def hold(begun: threading.Event, let_go: threading.Event) -> None:
    begun.set()
    let_go.wait(20)


def test_whoever_had_no_turn_is_not_told_to_send_a_shorter_clip(pool: AnalysisPool) -> None:
    let_go = threading.Event()

    async def two() -> None:
        with pool.admit() as first, pool.admit() as second:
            has_turn = threading.Event()
            running = asyncio.create_task(pool.analyse(first, Job(20), lambda: hold(has_turn, let_go), never()))
            await asyncio.to_thread(has_turn.wait, 20)
            with pytest.raises(DeadlineExceeded, match="no turn came") as late:
                await pool.analyse(second, Job(0.05), lambda: let_go.wait(20), never())
            assert late.value.retry_after
            assert "shorter" not in late.value.detail
            let_go.set()
            await running

    asyncio.run(two())
    pool.close()


def test_a_place_is_given_back_when_its_request_and_its_threads_have_ended(pool: AnalysisPool) -> None:
    removed: list[str] = []
    with pool.admit() as ticket:
        ticket.on_release(lambda: removed.append("files"))
        ticket.hold()
    with pytest.raises(TooBusy):
        [pool.admit() for _ in range(2)]
    assert removed == []
    ticket.let_go()
    assert removed == ["files"]
    pool.admit()

from __future__ import annotations

import pytest
from sg_common import analysis
from sg_common.analysis import Job, Stage
from sg_common.errors import Cancelled, DeadlineExceeded


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(analysis, "time", clock)
    return clock


def test_an_analysis_s_time_is_neither_the_download_s_nor_the_wait_s(clock: Clock) -> None:
    job = Job(100, stage=Stage.FETCHING)
    clock.now = 20
    job.begin(Stage.WAITING)
    clock.now = 50
    job.begin(Stage.ANALYSING)
    clock.now = 53
    assert job.elapsed() == 3
    assert job.remaining() == 47


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.FETCHING, "the whole file did not come within 5 s"),
        (Stage.WAITING, "no turn came within 5 s; try again later"),
        (Stage.ANALYSING, "send a shorter clip"),
    ],
)
def test_what_to_do_about_a_deadline_depends_on_the_stage(clock: Clock, stage: Stage, words: str) -> None:
    job = Job(5, stage=stage)
    job.check()
    clock.now = 5
    with pytest.raises(DeadlineExceeded, match=words):
        job.check()
    job.cancel()
    with pytest.raises(Cancelled):
        job.check()

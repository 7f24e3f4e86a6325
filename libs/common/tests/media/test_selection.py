"""Which frames are chosen and what is decoded for them, on made-up streams."""

from __future__ import annotations

import numpy as np
import pytest
from sg_common.media import FrameBudget
from sg_decoder.packets import PacketIndex
from sg_decoder.selection import choose_frames, plan_runs

BUDGET = FrameBudget()
SMALL = 320 * 240


def stream(frames: int, gop: int, *, fps: float = 30.0, stamped: bool = True) -> PacketIndex:
    numbers = np.arange(frames)
    return PacketIndex(
        order=numbers,
        rank=numbers,
        times=numbers / fps,
        keys=numbers[::gop],
        stamped=stamped,
        duration=frames / fps,
        fps=fps,
    )


def decoded(index: PacketIndex, chosen: np.ndarray) -> int:
    return sum(run.stop - run.start + 1 for run in plan_runs(index, chosen))


@pytest.mark.parametrize("every", [1, 7, 30, 10_000])
def test_one_in_n_is_exact(every: int) -> None:
    index = stream(1000, 250)
    assert choose_frames(index, sample_rate=every, budget=BUDGET, pixels=SMALL).tolist() == list(range(0, 1000, every))


@pytest.mark.parametrize("frames", [1, 2, 31, 32, 33, 450])
def test_a_short_clip_is_spread_over(frames: int) -> None:
    chosen = choose_frames(stream(frames, 250), sample_rate=None, budget=BUDGET, pixels=SMALL)
    assert chosen.size == min(frames, 32)
    assert np.unique(chosen).size == chosen.size
    assert np.diff(np.concatenate([[0], chosen, [frames - 1]])).max() <= max(1, np.ceil(frames / 32))


def test_a_short_clip_of_enormous_pictures_is_treated_as_a_long_one() -> None:
    index = stream(900, 30, fps=60)
    chosen = choose_frames(index, sample_rate=None, budget=BUDGET, pixels=7680 * 4320)
    assert decoded(index, chosen) <= 30 + BUDGET.extra_frames


@pytest.mark.parametrize(("frames", "gop"), [(500, 500), (500, 250), (1800, 250), (1800, 60), (9000, 300), (99_000, 7)])
def test_a_long_clip_stays_within_its_budget(frames: int, gop: int) -> None:
    index = stream(frames, gop)
    chosen = choose_frames(index, sample_rate=None, budget=BUDGET, pixels=SMALL)
    keys = np.isin(chosen, index.keys).sum()
    runs = plan_runs(index, chosen)
    assert 0 < chosen.size <= BUDGET.long_frames
    assert decoded(index, chosen) - len(runs) <= BUDGET.extra_frames
    assert keys == min(index.keys.size, BUDGET.long_frames)
    if index.keys.size >= BUDGET.long_frames:
        assert len(runs) == chosen.size == decoded(index, chosen)
        assert np.diff(chosen).max() < 3 * frames / BUDGET.long_frames


def test_near_key_frames_need_no_runs() -> None:
    index = stream(1800, 50)
    chosen = choose_frames(index, sample_rate=None, budget=BUDGET, pixels=SMALL)
    assert chosen.tolist() == index.keys.tolist()


def test_leading_frames_start_from_the_group_before() -> None:
    """Decoding order I0 P1 I2 b3: b3 is shown before I2 and refers to P1 as well."""
    index = PacketIndex(
        order=np.array([0, 1, 3, 2]),
        rank=np.array([0, 1, 3, 2]),
        times=np.arange(4.0),
        keys=np.array([0, 2]),
        stamped=True,
        duration=4.0,
        fps=1.0,
    )
    assert [(run.start, run.stop) for run in plan_runs(index, np.array([2]))] == [(0, 3)]
    assert [(run.start, run.stop) for run in plan_runs(index, np.array([3]))] == [(2, 2)]


def test_runs_are_apart_and_ascend() -> None:
    index = stream(1000, 100)
    runs = plan_runs(index, np.array([5, 50, 250, 300, 720]))
    assert [(run.start, run.stop) for run in runs] == [(0, 50), (200, 250), (300, 300), (700, 720)]

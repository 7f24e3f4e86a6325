"""Which frames of a video to decode and give, and the runs of packets that this takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sg_decoder.limits import FrameBudget
from sg_decoder.packets import PacketIndex

WHOLE_PIXELS = 8_000_000_000  # about 30 s of processor time; a short clip with more is treated as a long one
SPARSE = 2.0  # runs fill gaps between key frames that are this many times wider than evenly spread frames
SLACK_SECONDS = 0.05  # containers round times, and must not make the same clip short in one and long in another
REORDER = 16  # no codec shows a frame later than this many packets after its own


@dataclass(frozen=True)
class Run:
    """Packets `start` to `stop`, both included, that the decoder is fed in one go from a key frame."""

    start: int
    stop: int


def choose_frames(
    index: PacketIndex, *, sample_rate: int | None, budget: FrameBudget, pixels: int
) -> npt.NDArray[np.int64]:
    """Ascending numbers of the frames to give.

    Args:
        index: the stream's frames.
        sample_rate: every N-th frame; None for what `budget` allows.
        budget: how many frames may be decoded and given.
        pixels: pixels of a frame.
    """
    if sample_rate is not None:
        return np.arange(0, index.frames, sample_rate)
    if index.duration <= budget.whole_seconds + SLACK_SECONDS and index.frames * pixels <= WHOLE_PIXELS:
        return _spread(np.arange(index.frames), budget.whole_frames)
    keys = index.rank[index.keys]
    keys = np.unique(keys[keys >= 0])
    if keys.size >= budget.long_frames:
        return _nearest(keys, budget.long_frames, index.frames)
    return _with_runs(keys, index.frames, budget)


def plan_runs(index: PacketIndex, frames: npt.NDArray[np.int64]) -> list[Run]:
    """The shortest runs of packets that decode the given frames, ascending and apart."""
    runs: list[Run] = []
    for start, stop in sorted((_start(index, packet), _stop(index, packet)) for packet in index.order[frames].tolist()):
        if runs and start <= runs[-1].stop + 1:
            runs[-1] = Run(runs[-1].start, max(stop, runs[-1].stop))
        else:
            runs.append(Run(start, stop))
    return runs


def _stop(index: PacketIndex, packet: int) -> int:
    """The last packet that a packet's frame needs: its second field's, or those after which it must have come out."""
    last = index.rank.size - 1
    stop = packet if index.stamped else min(packet + REORDER, last)
    while stop < last and index.rank[stop + 1] == index.rank[stop] >= 0:
        stop += 1
    return stop


def _start(index: PacketIndex, packet: int) -> int:
    """Where decoding of a packet must start: its key frame, or the one before that where it is shown before its key
    frame (the leading frames of an open group of pictures also refer to the group before)."""
    place = int(np.searchsorted(index.keys, packet, side="right")) - 1
    key = int(index.keys[place])
    if place > 0 and 0 <= index.rank[packet] < index.rank[key]:
        key = int(index.keys[place - 1])
    return key


def _spread(candidates: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """At most `count` of the candidates, evenly spread, each in the middle of its share."""
    if candidates.size <= count:
        return candidates
    places = (np.arange(count) + 0.5) * candidates.size / count
    return candidates[places.astype(np.int64)]


def _nearest(candidates: npt.NDArray[np.int64], count: int, frames: int) -> npt.NDArray[np.int64]:
    """At most `count` of the candidates, those nearest to evenly spread frames. Counting frames, not seconds, gives the
    same choice in containers that round times differently."""
    places = (np.arange(count) + 0.5) * frames / count
    after = np.clip(np.searchsorted(candidates, places), 1, candidates.size - 1)
    nearer = after - (places - candidates[after - 1] < candidates[after] - places)
    return np.unique(candidates[nearer])


def _with_runs(keys: npt.NDArray[np.int64], frames: int, budget: FrameBudget) -> npt.NDArray[np.int64]:
    """All key frames, and frames spread over short runs after those that the next key frame is far from."""
    room = min(budget.long_frames - keys.size, budget.extra_frames)
    lengths = np.diff(keys, append=frames) - 1
    sparse = np.flatnonzero(lengths + 1 > SPARSE * frames / budget.long_frames)
    if room <= 0 or not sparse.size:
        return keys
    widest = sparse[np.argsort(-lengths[sparse], kind="stable")][:room]
    shares = lengths[widest] / lengths[widest].sum()
    chosen = [keys]
    for place, share in zip(widest.tolist(), shares.tolist(), strict=True):
        given = max(1, int(share * room))
        length = min(int(lengths[place]), max(given, int(share * budget.extra_frames)))
        given = min(given, length)
        chosen.append(keys[place] + (np.arange(given) + 1) * length // given)
    return np.unique(np.concatenate(chosen))

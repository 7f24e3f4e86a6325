"""What this process may use of the machine's processors, and what they can do.

A container's quota is invisible to `os.cpu_count` and to ONNX Runtime, whose default pools are sized by the whole
node; pools larger than the quota spend their time being throttled. So threads are counted from the quota.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CpuFacts:
    """Processor facts of this process.

    Attributes:
        quota: processors' worth of time that the control group grants, or None without a limit.
        affinity: processors that the scheduler may use for this process.
        features: instruction-set flags by their names in `/proc/cpuinfo`.
        model_name: the processor's name.
    """

    quota: float | None
    affinity: int
    features: frozenset[str]
    model_name: str

    @property
    def threads(self) -> int:
        """Threads that can run at the same time without being throttled (at least 1)."""
        limit = float(self.affinity) if self.quota is None else min(self.quota, float(self.affinity))
        return max(1, int(limit))


def read_cpu_facts(root: Path = Path("/")) -> CpuFacts:
    """Read quota (cgroup v2, then v1), affinity and instruction sets; `root` replaces `/` in tests."""
    features, model_name = _cpuinfo(root / "proc/cpuinfo")
    return CpuFacts(
        quota=_quota_v2(root) or _quota_v1(root),
        affinity=len(os.sched_getaffinity(0)),
        features=features,
        model_name=model_name,
    )


def _groups(root: Path) -> dict[str, str]:
    """Controller list → path of this process's control group ("" for the unified hierarchy)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    return {parts[1]: parts[2] for line in lines if len(parts := line.split(":", 2)) == 3}


def _upwards(base: Path, group: str) -> list[Path]:
    """The group's folder and its ancestors: any of them may carry the tightest limit.

    Inside a container the path in `/proc/self/cgroup` is often the host's, so missing folders are normal.
    """
    folder = base / group.lstrip("/")
    chain = [folder, *folder.parents]
    return [path for path in chain if path == base or base in path.parents]


def _quota_v2(root: Path) -> float | None:
    base = root / "sys/fs/cgroup"
    limits = []
    for folder in _upwards(base, _groups(root).get("", "")):
        words = _words(folder / "cpu.max")
        if len(words) == 2 and words[0] != "max":
            limits.append(int(words[0]) / int(words[1]))
    return min(limits, default=None)


def _quota_v1(root: Path) -> float | None:
    limits = []
    for controllers, group in _groups(root).items():
        if "cpu" not in controllers.split(","):
            continue
        for mount in ("cpu", controllers):
            for folder in _upwards(root / "sys/fs/cgroup" / mount, group):
                quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
                if quota and period and int(quota[0]) > 0 and int(period[0]) > 0:
                    limits.append(int(quota[0]) / int(period[0]))
    return min(limits, default=None)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _cpuinfo(path: Path) -> tuple[frozenset[str], str]:
    features: frozenset[str] = frozenset()
    model_name = "unknown"
    try:
        text = path.read_text()
    except OSError:
        return features, model_name
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features") and not features:
            features = frozenset(value.split())
        elif key.strip() == "model name":
            model_name = value.strip()
    return features, model_name

from __future__ import annotations

from pathlib import Path

import pytest
from sg_common.cpu import CpuFacts, read_cpu_facts


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_quota_of_cgroup_v2_is_the_tightest_of_the_ancestors(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/pod/container\n")
    write(tmp_path, "sys/fs/cgroup/pod/cpu.max", "150000 100000\n")
    write(tmp_path, "sys/fs/cgroup/pod/container/cpu.max", "max 100000\n")
    assert read_cpu_facts(tmp_path).quota == 1.5


def test_quota_of_cgroup_v2_at_the_root_of_a_container(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/kubepods/somewhere/on/the/host\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "200000 100000\n")
    assert read_cpu_facts(tmp_path).quota == 2.0


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_quota_of_cgroup_v1(tmp_path: Path, mount: str) -> None:
    write(tmp_path, "proc/self/cgroup", "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n")
    write(tmp_path, f"sys/fs/cgroup/{mount}/cpu.cfs_quota_us", "250000\n")
    write(tmp_path, f"sys/fs/cgroup/{mount}/cpu.cfs_period_us", "100000\n")
    assert read_cpu_facts(tmp_path).quota == 2.5


def test_no_limit_reads_as_none(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "3:cpu:/\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert read_cpu_facts(tmp_path).quota is None
    assert read_cpu_facts(tmp_path / "empty").quota is None


def test_features_and_model_name(tmp_path: Path) -> None:
    write(tmp_path, "proc/cpuinfo", "model name\t: Some CPU\nflags\t\t: sse avx2 avx512_vnni\n")
    facts = read_cpu_facts(tmp_path)
    assert facts.model_name == "Some CPU"
    assert "avx512_vnni" in facts.features


@pytest.mark.parametrize(("quota", "affinity", "threads"), [(None, 4, 4), (2.5, 4, 2), (0.5, 4, 1), (8.0, 2, 2)])
def test_threads_fit_quota_and_affinity(quota: float | None, affinity: int, threads: int) -> None:
    assert CpuFacts(quota, affinity, frozenset(), "").threads == threads

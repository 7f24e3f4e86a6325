"""What a service's process keeps beside its work: the parent of decoder processes."""

from __future__ import annotations

from pathlib import Path

import httpx
from sg_common.media import DecodeLimits, open_audio

from testbed.analyzer import bytes_service
from testbed.media import tone, write_audio
from testbed.processes import is_running, zygotes
from testbed.running import running


def test_a_service_has_decoders_ready_and_leaves_none(tmp_path: Path) -> None:
    clip = write_audio(tmp_path / "clip.wav", tone(1.0, 8000), rate=8000)
    before = zygotes()
    with running(bytes_service(work_dir=tmp_path / "work")) as (base, host):
        (zygote,) = zygotes() - before
        with open_audio(clip, sample_rate=8000, limits=DecodeLimits(), job=host.job(60)) as reader:
            assert sum(block.size for block in reader) == 8000
        metrics = httpx.get(f"{base}/metrics").text
        assert 'silver_guardian_decoder_starts_total{how="zygote"} 1.0' in metrics
        assert 'silver_guardian_decoder_starts_total{how="forked"} 1.0' in metrics
    assert not is_running(zygote)


def test_a_service_can_do_without(tmp_path: Path) -> None:
    before = zygotes()
    with running(bytes_service(work_dir=tmp_path, decoder_parent_files=0)):
        assert zygotes() == before

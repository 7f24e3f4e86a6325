"""Content credentials: what holds, what is trusted, and what a hostile file can't do."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.credentials import AI, CAMERA, SIGNER, SOURCE_TYPES, Authority
from testbed.media import Sound, tone, write_audio, write_video

from .conftest import Claimed


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


@pytest.fixture
def anchors(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "anchors.pem"
    path.write_bytes(authority.anchor)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", frames=5, sound=Sound(tone(0.5)))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "m4a", "wav", "mp3", "flac", "avi"])
def test_a_signed_file(suffix: str, authority: Authority, anchors: Path, tmp_path: Path, claimed: Claimed) -> None:
    plain = tmp_path / f"plain.{suffix}"
    if suffix in ("mp4", "mov", "avi"):
        write_video(plain, frames=5, codec="mpeg4")
    else:
        codec = {"m4a": "aac", "mp3": "libmp3lame", "flac": "flac"}.get(suffix, "pcm_s16le")
        write_audio(plain, tone(0.5), codec=codec, container={"m4a": "ipod"}.get(suffix))
    assert claimed(plain).c2pa.model_dump(exclude_none=True) == {"present": False}
    signed = authority.sign(plain, tmp_path / f"signed.{suffix}", AI)
    said = {"present": True, "valid": True, "trusted": False, "signer": SIGNER, "ai_generated": True}
    assert claimed(signed).c2pa.model_dump() == said
    assert claimed(signed, anchors).c2pa.model_dump() == {**said, "trusted": True}


def test_another_authority_is_not_trusted(clip: Path, anchors: Path, tmp_path: Path, claimed: Claimed) -> None:
    """It has the same names: anyone can choose them."""
    found = claimed(Authority.new().sign(clip, tmp_path / "signed.mp4", CAMERA), anchors).c2pa
    assert (found.valid, found.trusted, found.signer) == (True, False, SIGNER)


@pytest.mark.parametrize(
    ("source_type", "said"),
    [
        (AI, True),
        (SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia", True),
        (CAMERA, False),
        (SOURCE_TYPES + "algorithmicMedia", False),
        (None, None),
    ],
)
def test_who_made_it(
    source_type: str | None, said: bool | None, authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed
) -> None:
    assert claimed(authority.sign(clip, tmp_path / "signed.mp4", source_type)).c2pa.ai_generated is said


def test_metadata_that_the_signer_vouches_for(
    authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed
) -> None:
    context = {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"}
    data = {"@context": context, "Iptc4xmpExt:DigitalSourceType": AI}
    signed = authority.sign(
        clip, tmp_path / "signed.mp4", assertions=({"label": "cawg.metadata", "kind": "Json", "data": data},)
    )
    assert claimed(signed).c2pa.ai_generated


@pytest.mark.parametrize(("relationship", "said"), [("parentOf", True), ("componentOf", True), ("inputTo", None)])
def test_what_it_was_made_of(
    relationship: str, said: bool | None, authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed
) -> None:
    generated = authority.sign(clip, tmp_path / "generated.mp4", AI)
    edited = authority.sign(clip, tmp_path / "edited.mp4", parent=generated, relationship=relationship)
    assert claimed(edited).c2pa.ai_generated is said


def test_a_changed_file_is_not_valid(
    authority: Authority, anchors: Path, clip: Path, tmp_path: Path, claimed: Claimed
) -> None:
    content = bytearray(authority.sign(clip, tmp_path / "signed.mp4", AI).read_bytes())
    for place in (content.index(b"mdat") + 100, content.index(b"trainedAlgorithmicMedia")):
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "changed.mp4").write_bytes(changed)
        found = claimed(tmp_path / "changed.mp4", anchors).c2pa
        assert (found.present, found.valid, found.trusted) == (True, False, False)


def test_a_broken_manifest_is_not_valid(authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed) -> None:
    content = authority.sign(clip, tmp_path / "signed.mp4", AI).read_bytes()
    (tmp_path / "broken.mp4").write_bytes(content.replace(b"jumb", b"jump", 1))
    found = claimed(tmp_path / "broken.mp4").c2pa
    assert found.model_dump(exclude_none=True) == {"present": True, "valid": False, "trusted": False}


def test_a_large_file_is_not_checked(authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed) -> None:
    signed = authority.sign(clip, tmp_path / "signed.mp4", AI)
    said = {"present": True, "signer": SIGNER, "ai_generated": True}
    assert claimed(signed, max_bytes=signed.stat().st_size - 1).c2pa.model_dump(exclude_none=True) == said
    assert claimed(signed, max_bytes=signed.stat().st_size).c2pa.valid


def test_anchors_that_went_away_leave_the_tags(
    authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed, caplog: pytest.LogCaptureFixture
) -> None:
    found = claimed(authority.sign(clip, tmp_path / "signed.mp4", AI), tmp_path / "none.pem")
    assert found.c2pa.model_dump(exclude_none=True) == {"present": True}
    assert found.declared
    assert any("provenance" in message for message in caplog.messages)


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """The address of a web server and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_no_manifest_is_fetched(
    visits: tuple[str, list[str]], authority: Authority, clip: Path, tmp_path: Path, claimed: Claimed
) -> None:
    address, asked = visits
    remote = authority.sign(clip, tmp_path / "remote.mp4", AI, remote=f"{address}/manifest.c2pa")
    alone = "import c2pa, sys; c2pa.Reader.try_create(sys.argv[1])"
    subprocess.run([sys.executable, "-c", alone, remote], stderr=subprocess.DEVNULL, check=False)
    assert asked == ["/manifest.c2pa"], "left alone, the library asks"
    asked.clear()
    assert not claimed(remote).c2pa.present
    # with a manifest of its own beside the address, so that the library is asked
    both = authority.sign(remote, tmp_path / "both.mp4", CAMERA)
    assert claimed(both).c2pa.present
    assert asked == []


def box(name: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + name + content


STORE = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"\0\0\0\0manifest\0" + bytes(8)


@pytest.mark.parametrize(
    "store",
    [
        b"",
        bytes(100),
        (1 << 31).to_bytes(4) + b"jumb" + bytes(100),
        b"".join(box(b"jumb", b"")[:4] + b"jumb" for _ in range(100_000)),
        box(b"jumb", box(b"jumd", b"c2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0") * 100_000),
    ],
    ids=["empty", "zeros", "lying about its size", "nested", "full"],
)
def test_hostile_stores_cost_no_analysis(store: bytes, clip: Path, tmp_path: Path, claimed: Claimed) -> None:
    (tmp_path / "hostile.mp4").write_bytes(clip.read_bytes() + box(b"uuid", STORE + store))
    found = claimed(tmp_path / "hostile.mp4").c2pa
    assert found.present
    assert not found.valid


def test_a_store_larger_than_memory(clip: Path, tmp_path: Path, claimed: Claimed) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.write(clip.read_bytes() + (1 << 30).to_bytes(4) + b"uuid" + STORE)
        file.truncate(clip.stat().st_size + (1 << 30))
    found = claimed(path).c2pa
    assert found.present
    assert not found.valid

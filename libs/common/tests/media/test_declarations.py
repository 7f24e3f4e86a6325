"""What tags declare, and what they don't."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from sg_common.provenance import Declaration, Provenance

from testbed.media import tone, write_audio, write_video

from .conftest import Claimed

LABEL = {"Label": "1", "ContentProducer": "001191610133596325171T12566", "ProduceID": "P1", "ReservedCode1": "x"}
SHOWN = json.dumps({name: LABEL[name] for name in ("Label", "ContentProducer", "ProduceID")})
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" {0}>{1}'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
BY_ATTRIBUTE = XMP.format(f'i:DigitalSourceType="{TYPE}"', "")
BY_ELEMENT = XMP.format("", f"<i:DigitalSourceType>{TYPE}</i:DigitalSourceType>")
BY_RESOURCE = XMP.format("", f'<i:DigitalSourceType rdf:resource="{TYPE}"/>')
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", frames=5)


def tagged(clip: Path, **tags: str) -> Path:
    """The clip with other tags in its container."""
    path = clip.with_name("tagged.mp4")
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(clip)) as source, av.open(str(path), "w", options=options) as target:
        target.metadata.update(tags)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def with_xmp(clip: Path, packet: str) -> Path:
    content = XMP_BOX + packet.encode()
    path = clip.with_name("xmp.mp4")
    path.write_bytes(clip.read_bytes() + (8 + len(content)).to_bytes(4) + b"uuid" + content)
    return path


def declared(found: Provenance) -> list[tuple[str, str]]:
    return [(entry.source, entry.text) for entry in found.declared if entry.source != "encoder"]


def test_the_encoder_is_shown_and_says_nothing(clip: Path, claimed: Claimed) -> None:
    found = claimed(clip)
    assert [entry.source for entry in found.declared] == ["encoder"]
    assert found.declared[0].text.startswith("Lavf")
    assert not found.declared[0].says_ai


@pytest.mark.parametrize("packet", [BY_ATTRIBUTE, BY_ELEMENT, BY_RESOURCE])
def test_the_source_type_in_xmp(packet: str, clip: Path, claimed: Claimed) -> None:
    assert declared(claimed(with_xmp(clip, packet))) == [("digital_source_type", "trainedAlgorithmicMedia")]


def test_xmp_of_sound_files(tmp_path: Path, claimed: Claimed) -> None:
    wav = write_audio(tmp_path / "a.wav", tone(0.5))
    packet = BY_ATTRIBUTE.encode()
    wav.write_bytes(wav.read_bytes() + b"_PMX" + len(packet).to_bytes(4, "little") + packet)
    assert declared(claimed(wav)) == [("digital_source_type", "trainedAlgorithmicMedia")]
    mp3 = write_audio(tmp_path / "a.mp3", tone(0.5), codec="libmp3lame")
    frame = b"XMP\0" + packet
    frame = b"PRIV" + len(frame).to_bytes(4) + bytes(2) + frame
    size = bytes(len(frame) >> 7 * place & 127 for place in (3, 2, 1, 0))
    mp3.write_bytes(b"ID3\x03\0\0" + size + frame + mp3.read_bytes())
    assert declared(claimed(mp3)) == [("digital_source_type", "trainedAlgorithmicMedia")]


@pytest.mark.parametrize(
    "tags",
    [
        {"AIGC": json.dumps(LABEL)},
        {"comment": json.dumps({"AIGC": LABEL})},
        {"description": json.dumps({"AIGC": json.dumps(LABEL)})},
    ],
)
def test_the_label_of_china(tags: dict[str, str], clip: Path, claimed: Claimed) -> None:
    assert declared(claimed(tagged(clip, **tags))) == [("aigc_label", SHOWN)]


def test_the_label_of_china_in_xmp(clip: Path, claimed: Claimed) -> None:
    label = json.dumps(LABEL).replace('"', "&quot;")
    element = XMP.format("", f"<TC260:AIGC>{label}</TC260:AIGC>")
    assert declared(claimed(with_xmp(clip, element))) == [("aigc_label", SHOWN)]


@pytest.mark.parametrize(
    "tags",
    [
        {"comment": "made with suno; created=2026-01-01T00:00:00Z"},
        {"comment": "AI-generated"},
        {"description": "This video was created with artificial intelligence."},
        {"encoded_by": "Runway Gen-4"},
        {"software": "HeyGen"},
        {"comment": "AI生成"},
        {"comment": "인공지능 생성"},
    ],
)
def test_generators(tags: dict[str, str], clip: Path, claimed: Claimed) -> None:
    ((name, text),) = tags.items()
    assert declared(claimed(tagged(clip, **tags))) == [("generator", f"{name}: {text}")]


def test_a_workflow(clip: Path, claimed: Claimed) -> None:
    prompt = json.dumps({"3": {"class_type": "KSampler", "inputs": {}}})
    assert declared(claimed(tagged(clip, prompt=prompt))) == [("generator", "prompt: a ComfyUI workflow")]


@pytest.mark.parametrize(
    "tags",
    [
        {"title": "AI generated scams: how to spot them"},
        {"description": "We show how a video is generated with AI, and how families can protect themselves. " * 3},
        {"comment": "Not made with AI"},
        {"comment": "A talk about Sora, Suno and ElevenLabs"},
        {"artist": "Kling Klang"},
        {"software": "Soraya Editor 2"},
        {"comment": json.dumps({"Label": "1"})},
        {"AIGC": "yes"},
    ],
)
def test_what_declares_nothing(tags: dict[str, str], clip: Path, claimed: Claimed) -> None:
    assert declared(claimed(tagged(clip, **tags))) == []


@pytest.mark.parametrize(
    ("source", "text", "ai"),
    [
        ("digital_source_type", "trainedAlgorithmicMedia", True),
        ("digital_source_type", "compositeWithTrainedAlgorithmicMedia", True),
        ("digital_source_type", "digitalCapture", False),
        ("aigc_label", '{"Label": "1"}', True),
        ("aigc_label", '{"Label": "2"}', False),
        ("generator", "comment: AI-generated", True),
        ("encoder", "Lavf62", False),
    ],
)
def test_which_of_them_say_ai(source: str, text: str, ai: bool) -> None:
    assert Declaration(source=source, text=text).says_ai is ai


def test_a_long_label_is_still_one(clip: Path, claimed: Claimed) -> None:
    long = {**LABEL, "ContentProducer": "x" * 2000, "ProduceID": "y" * 2000}
    (label,) = claimed(tagged(clip, AIGC=json.dumps(long))).declared[:1]
    assert label.says_ai
    assert len(label.text) < 500


def test_hostile_tags_are_bounded(clip: Path, claimed: Claimed) -> None:
    bomb = '<!DOCTYPE b [<!ENTITY a "' + "a" * 1000 + '">]>' + XMP.format("", "&a;" * 100_000)
    assert declared(claimed(with_xmp(clip, bomb))) == []
    deep = XMP.format("", "<i:DigitalSourceType>" * 10_000 + TYPE + "</i:DigitalSourceType>" * 10_000)
    assert declared(claimed(with_xmp(clip, deep))) == [("digital_source_type", "trainedAlgorithmicMedia")]
    nested = '{"AIGC":' * 50_000
    assert declared(claimed(tagged(clip, comment=nested))) == []
    many = {f"k{number}.software": f"Suno {number} " + "\x07" + "😀" * 2000 for number in range(60)}
    found = declared(claimed(tagged(clip, **many)))
    assert sum(len(json.dumps(text)) for _, text in found) > 50_000, "as much as can be"
    assert len(found) == 10
    assert all(len(text) <= 500 and text.isprintable() for _, text in found)

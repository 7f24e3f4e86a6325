"""Tags that say how a file was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sg_decoder.claims import AIGC_LABEL, ENCODER, GENERATOR, SOURCE_TYPE, json_object, plain, source_type
from sg_decoder.generators import NAMED, SAID

Tag = tuple[str, str]
"""A tag's name and text."""

# A message's header holds them all, whatever their signs take in JSON.
MAX_DECLARATIONS = 10
MAX_TEXT = 500
MAX_FIELD = 60
MAX_NAME = 60

SOURCE_TYPE_NAMES = frozenset(
    {
        "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType",
        "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}digitalSourceType",
    }
)
XMP_ROOTS = ("<x:xmpmeta", "<rdf:RDF")
AIGC_NAME = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"
CREDIT_NAME = "{http://ns.adobe.com/photoshop/1.0/}Credit"
RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
AIGC_FIELDS = ("Label", "ContentProducer", "ProduceID", "ContentPropagator", "PropagateID")

TOOL_TAGS = frozenset(
    {"encoder", "encoded_by", "software", "creation_tool", "tool", "generator", "producer", "handler_name"}
)
"""Tags that name the program: a generator's name says enough there."""
REMARK_TAGS = frozenset({"comment", "description", "synopsis", "copyright", "credit", "artist", "publisher"})
"""Tags that people write too: only a sentence that is about this file counts."""
MAX_REMARK = 160
"""Longer remarks are about more than how the file was made, such as a description of a video about AI."""
WORKFLOW_TAGS = frozenset({"prompt", "workflow", "comment"})
WORKFLOW_MARKS = ('"class_type"', '"last_node_id"')


def declarations(tags: Sequence[Tag]) -> list[dict[str, str]]:
    """`source` and `text` of everything that the tags declare, without repetitions, at most `MAX_DECLARATIONS`.

    Sources:
        digital_source_type: IPTC's digital source type in XMP; the text is its code, such as trainedAlgorithmicMedia.
        aigc_label: China's label of generated content (GB 45438-2025, appendix E); the text is its JSON. `Label` is
            1 for generated, 2 for possibly generated, 3 for suspected.
        generator: a generator's name, or a remark that the file was made by AI.
        encoder: the program that wrote the file or a stream; it says nothing of AI.
    """
    found: dict[tuple[str, str], None] = {}
    for name, text in tags:
        for source, said in _of_tag(name.strip().lower()[:MAX_NAME], text):
            if clean := plain(said[: 2 * MAX_TEXT]):
                found.setdefault((source, clean[:MAX_TEXT]))
    ordered = sorted(found, key=lambda pair: pair[0] == ENCODER)
    return [{"source": source, "text": text} for source, text in ordered[:MAX_DECLARATIONS]]


def _of_tag(name: str, text: str) -> Iterator[Tag]:
    if "<" in text and ("xmpmeta" in text or "rdf:RDF" in text):
        yield from _of_xmp(text)
        return
    yield from _of_aigc(name, text)
    short = name.rpartition(".")[2]
    if name in WORKFLOW_TAGS and any(mark in text for mark in WORKFLOW_MARKS):
        yield GENERATOR, f"{name}: a ComfyUI workflow"
    elif (short in TOOL_TAGS and NAMED.search(text[:MAX_TEXT])) or (
        short in REMARK_TAGS and len(text) <= MAX_REMARK and SAID.match(text.strip())
    ):
        yield GENERATOR, f"{name}: {text}"
    elif short in {"encoder", "software"}:
        yield ENCODER, text


def _of_aigc(name: str, text: str) -> Iterator[Tag]:
    value: Any = json_object(text)
    if value is not None and not name.endswith("aigc"):
        value = next((inner for key, inner in value.items() if key.upper() == "AIGC"), None)
    if isinstance(value, str):
        value = json_object(value)
    if isinstance(value, dict) and "Label" in value:
        label = {field: plain(str(value[field]))[:MAX_FIELD] for field in AIGC_FIELDS if value.get(field)}
        yield AIGC_LABEL, json.dumps(label, ensure_ascii=False)


def _of_xmp(text: str) -> Iterator[Tag]:
    """What XMP says (ISO 16684-1), as elements or attributes. FFmpeg writes the bytes of an ID3 tag that are no
    printable ASCII as \\xNN."""
    from xml.etree import ElementTree  # noqa: PLC0415 - few files have XMP

    start = min((place for root in XMP_ROOTS if (place := text.find(root)) >= 0), default=0)
    try:
        root = ElementTree.fromstring(text[start : text.rfind(">") + 1])  # noqa: S314 - in a child under limits
    except ElementTree.ParseError:
        return
    for element in root.iter():
        for name, value in ((element.tag, element.get(RESOURCE) or element.text or ""), *element.attrib.items()):
            if name in SOURCE_TYPE_NAMES:
                yield SOURCE_TYPE, source_type(value)
            elif name == AIGC_NAME:
                yield from _of_aigc("aigc", value)
            elif name == CREDIT_NAME and SAID.match(value.strip()):
                yield GENERATOR, f"credit: {value}"

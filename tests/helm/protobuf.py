"""Reads the few objects that Kubernetes' clients send as protobuf: namespaces, and the Secrets of helm's releases.

Field numbers are those of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1, generated.proto.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import Any

MAGIC = b"k8s\x00"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a message, by number; numbers are skipped."""
    found: dict[int, list[bytes]] = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
            found[number].append(data[at : at + size])
            at += size
        else:
            raise ValueError(f"wire type {wire} is not expected here")
    return found


def _map(entries: list[bytes]) -> dict[str, bytes]:
    pairs = [_fields(entry) for entry in entries]
    return {pair[1][0].decode(): pair.get(2, [b""])[0] for pair in pairs}


def _metadata(data: bytes) -> dict[str, Any]:
    fields = _fields(data)
    meta: dict[str, Any] = {
        key: fields[n][0].decode() for n, key in ((1, "name"), (3, "namespace")) if fields.get(n, [b""])[0]
    }
    for number, key in ((11, "labels"), (12, "annotations")):
        if fields.get(number):
            meta[key] = {k: v.decode() for k, v in _map(fields[number]).items()}
    return meta


def decode(data: bytes) -> dict[str, Any]:
    """An object as JSON would have it."""
    envelope = _fields(data.removeprefix(MAGIC))
    kind = _fields(envelope[1][0])[2][0].decode()
    fields = _fields(envelope[2][0])
    item: dict[str, Any] = {"apiVersion": "v1", "kind": kind}
    if kind in ("Namespace", "Secret"):
        item["metadata"] = _metadata(fields[1][0])
    if kind == "Secret":
        item["data"] = {k: base64.b64encode(v).decode() for k, v in _map(fields[2]).items()}
        item["type"] = fields[3][0].decode()
    return item

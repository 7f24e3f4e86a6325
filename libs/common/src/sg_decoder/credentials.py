"""Content credentials (C2PA), read by its own library, which can open nothing meanwhile: no file, no connection."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import c2pa

from sg_decoder.claims import AI_SOURCE_TYPES, plain, source_type

READ_BYTES = 1024**2
MAX_NAME = 200
MADE_OF = frozenset({"parentOf", "componentOf"})
"""Ingredients that a viewer sees or hears, unlike what was merely put into a generator (`inputTo`)."""


def read_credentials(descriptor: int, anchors: str | None, hashed_bytes: int) -> dict[str, Any]:
    """What the active manifest and those of its ingredients say.

    Args:
        descriptor: the file, which holds a manifest store.
        anchors: path of the PEM file with the certificates that are trusted, or None.
        hashed_bytes: of larger files neither signature nor hashes are checked: the library holds in memory what it
            hashes, up to 512 MiB.

    Returns:
        `valid`, whether signature and hashes hold (None: not checked); `trusted`, whether the signer's chain ends at an
        anchor; `signer`, the name on the certificate; `ai_generated`, whether an assertion states a digital source
        type of generative AI (None: none states any).

    Raises:
        OSError: the anchors or the file cannot be read.
        MemoryError: the process may use no more memory.
    """
    checked = os.fstat(descriptor).st_size <= hashed_bytes
    context = c2pa.Context.from_dict(
        {
            "core": {"allowed_network_hosts": [], "decode_identity_assertions": False},
            "verify": {"verify_after_reading": checked, "remote_manifest_fetch": False, "ocsp_fetch": False},
            "trust": {"trust_anchors": Path(anchors).read_text()} if anchors else {},
        }
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    file = _File(descriptor)
    try:
        with c2pa.Reader(None, file, context=context) as reader:
            document = json.loads(reader.json())
    except c2pa.C2paError:
        file.check()
        return {"valid": False, "trusted": False, "signer": None, "ai_generated": None}
    file.check()
    state = document.get("validation_state")
    signature = _active(document).get("signature_info") or {}
    signer = signature.get("issuer") or signature.get("common_name")
    return {
        "valid": state in ("Valid", "Trusted") if checked else None,
        "trusted": state == "Trusted" if checked else None,
        "signer": plain(str(signer))[:MAX_NAME] if signer else None,
        "ai_generated": _ai_generated(document),
    }


class _File:
    """The media file as the library asks for it. It counts a read that fails as a file that was changed: `check`
    tells the two apart."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb", buffering=0, closefd=False)
        self._error: Exception | None = None
        self.tell = self._file.tell
        self.seek = self._file.seek
        self.flush = self._file.flush
        self.write = self._file.write

    def read(self, count: int) -> bytes | None:
        try:
            return self._file.read(min(count, READ_BYTES))
        except Exception as error:
            self._error = error
            raise

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def _active(document: dict[str, Any]) -> dict[str, Any]:
    manifest = document.get("manifests", {}).get(document.get("active_manifest"))
    return manifest if isinstance(manifest, dict) else {}


def _ai_generated(document: dict[str, Any]) -> bool | None:
    waiting = [document.get("active_manifest")]
    seen: set[Any] = set()
    stated: set[str] = set()
    while waiting:
        label = waiting.pop()
        if label in seen or not (manifest := document["manifests"].get(label)):
            continue
        seen.add(label)
        stated.update(_source_types(manifest.get("assertions", [])))
        waiting += [
            part.get("active_manifest")
            for part in manifest.get("ingredients", [])
            if part.get("relationship") in MADE_OF
        ]
    return bool(stated & AI_SOURCE_TYPES) if stated else None


def _source_types(assertions: Any) -> Iterator[str]:
    """The digital source types anywhere in assertions: of actions, and of metadata as IPTC writes it."""
    waiting = [assertions]
    while waiting:
        match waiting.pop():
            case dict() as fields:
                for name, value in fields.items():
                    if name.lower().endswith("digitalsourcetype") and isinstance(value, str):
                        yield source_type(value)
                    else:
                        waiting.append(value)
            case list() as values:
                waiting += values

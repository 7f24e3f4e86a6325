from __future__ import annotations

import gzip
import hashlib
import re

from sg_common.serving.docs import PARTS


def test_what_was_taken_over_is_unchanged() -> None:
    noted = re.findall(r"\| `(\S+)` \| `([0-9a-f]{64})`", (PARTS / "README.md").read_text())
    assert {f"{name}.gz" for name, _ in noted} == {path.name for path in PARTS.glob("*.gz")}
    for name, digest in noted:
        assert hashlib.sha256(gzip.decompress((PARTS / f"{name}.gz").read_bytes())).hexdigest() == digest, name

"""A fresh child: one request from standard input."""

from __future__ import annotations

import json
import sys

from sg_decoder import child

if __name__ == "__main__":
    child.run(json.loads(sys.stdin.buffer.readline()))

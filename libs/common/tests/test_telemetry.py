"""ONNX Runtime must neither keep nor send usage data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODEL = Path(__file__).resolve().parents[3] / "models" / "face_detector" / "blazeface_full_range.onnx"
CODE = "from pathlib import Path; from sg_common.runtime import Runtime; Runtime(1).session(Path({!r}))"


def test_a_session_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", CODE.format(str(MODEL))], env=environment, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

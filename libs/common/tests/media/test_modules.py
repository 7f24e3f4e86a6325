"""Decoder processes load what they decode with and nothing of the service."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["sg_decoder.__main__", "sg_decoder.zygote"])
def test_what_is_loaded(module: str) -> None:
    script = f"import {module}, os, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    output = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True).stdout
    foreign = {name for name in output.split() if not name.startswith("_")} - sys.stdlib_module_names
    assert foreign - {"cython_runtime"} == {"sg_decoder", "av", "numpy"}

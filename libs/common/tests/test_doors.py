"""The doors are siblings: whoever opens one pays for no other."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

DOORS = {"http", "worker", "cli"}
WEB = {"fastapi", "starlette", "uvicorn"}
CODE = """
import importlib, json, pkgutil, sys
door = importlib.import_module("sg_common." + sys.argv[1])
for module in pkgutil.iter_modules(door.__path__, door.__name__ + "."):
    if module.name != "sg_common.cli.model":  # its work is to open models; it is loaded when asked for
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def loaded(code: str, *arguments: str) -> set[str]:
    """What is loaded after this code, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("door", sorted(DOORS))
def test_importing_a_door_loads_no_other(door: str) -> None:
    modules = loaded(CODE, door)
    assert f"sg_common.{door}" in modules
    others = {name for name in modules if name.split(".")[:1] == ["sg_common"]} & {
        f"sg_common.{other}" for other in DOORS - {door}
    }
    assert others == set()
    assert "onnxruntime" not in modules, "ONNX Runtime is loaded only where something is judged"
    if door == "http":
        assert not {"httpx", "httpcore"} & modules, "what asks others is loaded where it is needed"
    if door == "cli":
        assert modules & WEB == set()


def test_a_client_loads_no_web_framework_no_runtime_and_no_aws_sdk() -> None:
    code = (
        "import json, sys; from sg_common.client import Client\n"
        "from sg_common.client.reports import read_report; from sg_common.errors import Unavailable\n"
        "try: Client('http://127.0.0.1:9').analyze('https://media.example/clip.mp4')\n"
        "except Unavailable: pass\n"
        "try: read_report({}, None)\n"
        "except ValueError: print(json.dumps(sorted(sys.modules)))"
    )
    modules = loaded(code)
    assert "audio_analyzer.report" in modules, "the classes of reports are those of the installed services"
    doors = {f"sg_common.{door}" for door in DOORS}
    assert modules & (WEB | doors | {"onnxruntime", "boto3", "sg_common.serving"}) == set()


def test_a_submission_loads_no_web_framework_and_no_runtime() -> None:
    code = (
        "import json, sys; from sg_common.cli.main import main\n"
        "status = main(['submit', 's3://bucket/key']); assert status == 2, status\n"
        "import sg_common.cli.submission; print(json.dumps(sorted(sys.modules)))"
    )
    modules = loaded(code)
    assert "boto3" in modules
    assert modules & (WEB | {"onnxruntime", "sg_common.worker", "sg_common.http"}) == set()

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import sg_view
from sg_common.errors import failures
from sg_common.verdict import Policy, Verdict
from sg_view.page import SCRIPTS, STYLES, asset, render, words
from sg_view.pictures import jpeg_address
from sg_view.site import SITE_SCRIPTS

STATIC = Path(sg_view.__file__).parent / "static"
OWN = [*(name for name in SITE_SCRIPTS if "/" not in name), "report.js"]


def used_keys() -> tuple[set[str], set[str]]:
    """Keys that scripts say as they are, and beginnings of those that they put together."""
    text = "\n".join(asset(name) for name in OWN)
    whole = set(re.findall(r"""say\(\s*"([a-z0-9_.]+)\"""", text))
    whole |= set(re.findall(r'\["(\w+)", (?:voices|faces)\]', text)) | set(
        re.findall(r'note = (?:checked \? )?"(\w+)"', text)
    )
    return whole, set(re.findall(r"say(?:\.knows)?\(`(\w+)\.\$\{", text)) | {"kind"}


def test_every_language_says_everything_with_the_same_gaps() -> None:
    catalogues = words()
    english = catalogues["en"]
    for language, catalogue in catalogues.items():
        assert catalogue.keys() == english.keys(), language
        for key, text in catalogue.items():
            assert text.strip(), (language, key)
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), (language, key)


def test_every_word_has_a_use_and_every_use_a_word() -> None:
    whole, beginnings = used_keys()
    keys = set(words()["en"])
    assert whole - keys == set()
    unused = {key for key in keys - whole if key.split(".", maxsplit=1)[0] not in beginnings}
    assert unused <= {"language"}
    assert keys >= {f"verdict.{verdict}" for verdict in Verdict}
    assert keys >= {f"policy.{policy}" for policy in get_args(Policy)}
    # What an upload from a page can't meet.
    others = {"encoded-body", "storage-unavailable", "queue-unavailable", "cancelled"}
    assert keys >= {f"problem.{failure.code}" for failure in failures() if failure.code not in others}


def test_what_was_taken_over_is_unchanged() -> None:
    noted = re.findall(r"`(\S+?)` \|.*?`([0-9a-f]{64})`", (STATIC / "vendor" / "README.md").read_text())
    assert {name for name, _ in noted} == {Path(name).name for name in (*SCRIPTS, *STYLES) if "/" in name}
    for name, digest in noted:
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest, name


def test_a_page_runs_nothing_but_its_own_script() -> None:
    hostile = "</script><script>alert(1)</script>\udcff"
    page = render({"file": {"name": hostile, "bytes": 1}, "results": []}, title="<b>&", plain="<i>", lang="ko")
    assert page.count("<script") == page.count("</script>") == 3
    assert '<html lang="ko">' in page
    assert "<title>&lt;b&gt;&amp;</title>" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    document = re.search(r'id="document">(.*?)</script>', page)
    assert document is not None
    assert json.loads(document[1])["file"]["name"] == hostile


@pytest.mark.parametrize("name", OWN)
def test_scripts_need_no_exception_from_the_policy(name: str) -> None:
    assert (
        re.search(r"eval\(|innerHTML|insertAdjacentHTML|document\.write|setAttribute\(\"(on|style)", asset(name))
        is None
    )


def test_a_picture_is_a_jpeg() -> None:
    address = jpeg_address(np.zeros((31, 17, 3), np.uint8))
    assert address.startswith("data:image/jpeg;base64,/9j/")


def test_the_view_needs_nothing_of_its_users() -> None:
    script = "import sg_view.page, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert {"sg_common", "av", "numpy", "audio_analyzer", "video_analyzer"} & set(loaded) == set()

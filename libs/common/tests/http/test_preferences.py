from __future__ import annotations

import pytest
from sg_common.http import preferences
from starlette.datastructures import Headers


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("KO-kr", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en;q=0.5, ko", "ko"),
        ("en, ko", "en"),
        ("fr, de;q=0.9, ko;q=0.1", "ko"),
        ("ko;q=0", "en"),
        ("ko;q=0, *", "en"),
        ("ko;q=nonsense", "en"),
        ("kok", "en"),
        (";;,,;q=", "en"),
    ],
)
def test_the_best_language_for_a_header(header: str, language: str) -> None:
    assert preferences.language(Headers({"Accept-Language": header})) == language

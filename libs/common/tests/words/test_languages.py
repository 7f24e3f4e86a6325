from __future__ import annotations

import pytest
from sg_common.words.languages import accepted, of_terminal


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
    assert accepted(header) == language


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "de_DE"}, "en"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"LC_MESSAGES": "ko_KR", "LANG": "en_US"}, "ko"),
        ({"LANGUAGE": "fr:ko:en", "LANG": "fr_FR"}, "ko"),
    ],
)
def test_the_language_of_a_terminal(environment: dict[str, str], language: str) -> None:
    assert of_terminal(environment) == language

"""The view as one HTML file, which opens from a disk without a network and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

LANGUAGES = ("en", "ko")
STYLES = ("vendor/uPlot.min.css", "view.css")
SCRIPTS = ("vendor/uPlot.iife.min.js", "base.js", "charts.js", "evidence.js", "facts.js", "player.js", "view.js")
"""In the order in which they build on each other; an entry such as `report.js` comes last."""
POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src data:; media-src blob:; base-uri 'none'; "
    "form-action 'none'"
)

_PAGE = Template("""<!DOCTYPE html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>$title</title>
<style>$style</style>
</head>
<body>
<noscript>$plain</noscript>
<div id="view"></div>
<script type="application/json" id="words">$words</script>
<script type="application/json" id="document">$document</script>
<script>$script</script>
</body>
</html>
""")


@cache
def asset(name: str) -> str:
    """The text of a file of `static`."""
    return (files("sg_view") / "static" / name).read_text(encoding="utf-8")


def words() -> dict[str, dict[str, str]]:
    """What the view says around an answer, by language and key."""
    return {language: json.loads(asset(f"words/{language}.json")) for language in LANGUAGES}


def render(document: Mapping[str, Any], *, title: str, plain: str, lang: str | None = None) -> str:
    """The view of a document as one file.

    Args:
        document: of one file `{file: {name, bytes}, made, results: [{kind, report, problem, pictures}]}`, where
            `report` is an answer and `pictures` what its service drew; of several
            `{index: [{name, href, results: [{kind, verdict, probability, problem}], problem}], made}`.
        title: of the window.
        plain: what is said where scripts are off.
        lang: the language that is shown first; None for the reader's own.
    """
    style = "\n".join(asset(name) for name in STYLES)
    script = "\n".join(asset(name) for name in (*SCRIPTS, "report.js"))
    return _PAGE.substitute(
        lang=lang if lang in LANGUAGES else LANGUAGES[0],
        title=html.escape(title),
        plain=html.escape(plain),
        style=style,
        script=script,
        policy=POLICY.format(script=_hash(script), style=_hash(style)),
        words=embedded(words()),
        document=embedded({**document, "lang": lang}),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def embedded(value: object) -> str:
    """A value as JSON within a <script>."""
    # Within <script> only "<" could end it; what is no Unicode in a file's name becomes JSON's own escape.
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")

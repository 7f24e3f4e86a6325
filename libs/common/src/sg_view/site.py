"""The page that a service shows to people: drop a file, see how its analysis goes, look at the evidence."""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from functools import cache
from string import Template

from sg_view.page import LANGUAGES, SCRIPTS, STYLES, asset, embedded, words

SITE_STYLES = (*STYLES, "page.css")
SITE_SCRIPTS = (*SCRIPTS, "drawing.js", "asking.js", "page.js")
SITE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"js": "text/javascript", "css": "text/css"}

_SITE = Template("""<!DOCTYPE html>
<html lang="$lang">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Silver Guardian</title>
<link rel="icon" href="data:,">
$links
</head>
<body>
<noscript>This page needs scripts. Without them: curl -F file=@clip.mp4 ADDRESS/analyze</noscript>
<div id="view"></div>
<script type="application/json" id="words">$words</script>
<script type="application/json" id="service">$service</script>
$scripts
</body>
</html>
""")


@dataclass(frozen=True)
class Asset:
    """A file that the page loads; `etag` changes with its content."""

    content: bytes
    media_type: str
    etag: str


@cache
def read_asset(name: str) -> Asset | None:
    """One of the files that the page is made of; None for any other name."""
    if name not in (*SITE_STYLES, *SITE_SCRIPTS):
        return None
    content = asset(name).encode()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Asset(content, _TYPES[name.rpartition(".")[2]], f'"{digest}"')


def site(*, root: str, assets: str, kind: str, peer: str, keys: bool, max_bytes: int) -> str:
    """The page as HTML, which loads nothing but its own files.

    Args:
        root: where a proxy mounts the service; empty for nowhere.
        assets: path of the page's files below it.
        kind: the kind of stream that this service judges.
        peer: that of the service which it can ask too; empty for none.
        keys: whether callers need a key.
        max_bytes: of a file.
    """
    place = html.escape(f"{root}{assets}")
    service = {"root": root, "kind": kind, "peer": peer, "keys": keys, "max_bytes": max_bytes}
    return _SITE.substitute(
        lang=LANGUAGES[0],
        links="\n".join(f'<link rel="stylesheet" href="{place}/{name}">' for name in SITE_STYLES),
        scripts="\n".join(f'<script src="{place}/{name}"></script>' for name in SITE_SCRIPTS),
        words=embedded(words()),
        service=embedded(service),
    )

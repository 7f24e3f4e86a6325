"""Which URLs may be read, and how they are taken apart."""

from __future__ import annotations

import pytest
from sg_common.errors import Forbidden, MalformedRequest
from sg_common.sources.url import UrlSource, UrlTarget

ENTRIES = ("media.example", "*.s3.amazonaws.com/uploads/", "dev.example:8443", "files.example/a/b")
ALLOWED = [
    "https://media.example/clip.mp4",
    "https://MEDIA.example:443/clip.mp4?X-Amz-Signature=abc%2Fdef&x=/../",
    "https://media.example",
    "https://clips.s3.amazonaws.com/uploads/clip.mp4",
    "https://a.b.s3.amazonaws.com/uploads/%ED%86%B5%ED%99%94.mp4",
    "https://dev.example:8443/clip.mp4",
    "https://files.example/a/b/c.mp4#t=10",
]
OUTSIDE = [
    "https://other.example/clip.mp4",
    "https://media.example:8443/clip.mp4",
    "https://media.example.evil.example/clip.mp4",
    "https://xmedia.example/clip.mp4",
    "https://media.example./clip.mp4",
    "https://s3.amazonaws.com/uploads/clip.mp4",
    "https://.s3.amazonaws.com/uploads/clip.mp4",
    "https://evils3.amazonaws.com/uploads/clip.mp4",
    "https://clips.s3.amazonaws.com/private/clip.mp4",
    "https://clips.s3.amazonaws.com/uploads-private/clip.mp4",
    "https://clips.s3.amazonaws.com/uploads/../private/clip.mp4",
    "https://clips.s3.amazonaws.com/uploads/%2e%2E/private/clip.mp4",
    "https://clips.s3.amazonaws.com/uploads/..%2fprivate/clip.mp4",
    "https://clips.s3.amazonaws.com/uploads/..%5cprivate/clip.mp4",
    "https://dev.example/clip.mp4",
    "https://media.example:99999/clip.mp4",
    "https://media.example:0/clip.mp4",
    "https://files.example/a/bc.mp4",
    "https://169.254.169.254/latest/meta-data/",
]
NONE = [
    "http://media.example/clip.mp4",
    "ftp://media.example/clip.mp4",
    "file:///etc/passwd",
    "media.example/clip.mp4",
    "https://",
    "https:///clip.mp4",
    "https://me:secret@media.example/clip.mp4",
    "https://media.example@evil.example/clip.mp4",
    "https://evil.example\\@media.example/clip.mp4",
    "https://media.example\\.evil.example/clip.mp4",
    "https://media.example:/clip.mp4",
    "https://media.example/x y.mp4",
    "https://media.example/clip.mp4\n",
    "HTTPS://media.example/clip.mp4",
    "https://media.example/a\r\nHost: evil.example",
    "https://media.example/통화.mp4",
    "https://medіa.example/clip.mp4",  # a Cyrillic letter
    "https://[::1]/clip.mp4",
    "https://media.exa\tmple/clip.mp4",
    " https://media.example/clip.mp4",
]


def check(url: str, entries: tuple[str, ...] = ENTRIES) -> None:
    UrlSource(entries, 1, 1).check(url)


@pytest.mark.parametrize("url", ALLOWED)
def test_what_an_entry_covers(url: str) -> None:
    check(url)


@pytest.mark.parametrize("url", OUTSIDE)
def test_what_none_covers(url: str) -> None:
    with pytest.raises(Forbidden):
        check(url)


@pytest.mark.parametrize("url", NONE)
def test_what_is_no_url_that_is_read(url: str) -> None:
    with pytest.raises(MalformedRequest):
        check(url)


def test_without_a_list_nothing_is_read() -> None:
    with pytest.raises(Forbidden, match="SG_URL_ALLOW"):
        check(ALLOWED[0], ())


def test_path_and_query_go_as_they_came() -> None:
    target = UrlTarget.parse("https://media.example/a%2Fb/%7e?X-Amz-Signature=a%2Fb%3D&x=?/..#part")
    assert target.target == "/a%2Fb/%7e?X-Amz-Signature=a%2Fb%3D&x=?/.."
    assert UrlTarget.parse("https://media.example?x=1").target == "/?x=1"
    assert str(target) == "media.example", "what may be a secret is in no sentence"

"""A request's file and options, however they come: a form, JSON that names where it lies, or the file as the body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import Request

from sg_common.analysis import Job
from sg_common.aws.objects import S3Object
from sg_common.errors import EncodedBody, InvalidOption, MalformedRequest
from sg_common.http import preferences
from sg_common.http.peer import Peer
from sg_common.http.state import ServiceState
from sg_common.http.upload import receive_body, receive_form
from sg_common.sources.request import AskedOptions, S3Request, UrlRequest, read_asked, read_request
from sg_common.words.languages import SOURCE, Language

MAX_JSON_BYTES = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        source: where its file comes from: `upload`, `s3` or `url`.
        path: where its file is, or will be when it has been fetched.
        options: `lang` is always among them.
        fetch: brings the file; None where it came with the request.
    """

    source: str
    path: Path
    options: AskedOptions
    fetch: Callable[[Job], None] | None = None

    @property
    def language(self) -> Language:
        """That of the answer's sentences."""
        return self.options.lang or SOURCE


async def receive(state: ServiceState, request: Request, path: Path) -> Asked:
    """Read the request, and the file that comes with it to `path`; the language of its answer is among the options.

    Raises:
        ServiceError: as in `sg_common.errors`.
    """
    asked = await _receive(state, request, path)
    language = asked.options.lang or preferences.language(request.headers)
    return replace(asked, options=asked.options.model_copy(update={"lang": language}))


async def _receive(state: ServiceState, request: Request, path: Path) -> Asked:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise EncodedBody(f"the body is sent with Content-Encoding: {encoding[:100]}; send the file as it is, without")
    asked = _query_options(request)
    check_peer(state, asked)
    settings = state.settings
    match request.headers.get("content-type", "").partition(";")[0].strip().lower():
        case "multipart/form-data":
            return Asked("upload", path, _joined(state, asked, read_asked(await receive_form(request, path, settings))))
        case "application/json":
            return await _named(state, request, path, asked)
        case _:
            # Whatever else it is called: curl --data-binary, for one, calls it a form.
            await receive_body(request, path, settings)
            return Asked("upload", path, asked)


def check_peer(state: ServiceState, options: AskedOptions) -> Peer | None:
    """The other service, where the caller asks for both.

    Raises:
        InvalidOption: this one knows of no other.
    """
    if not options.peer:
        return None
    if state.peer is None:
        raise InvalidOption("peer: this service knows of no other; its operator sets SG_PEER_URL")
    return state.peer


async def _named(state: ServiceState, request: Request, path: Path, asked: AskedOptions) -> Asked:
    """What the JSON body names."""
    value = await _read_json(request, state.settings.upload_stall_seconds)
    if isinstance(value, dict) and "url" in value:
        url = read_request(UrlRequest, value)
        return Asked("url", path, _joined(state, asked, url), lambda job: state.urls.fetch(url.url, path, job))
    body = read_request(S3Request, value)
    target = S3Object(body.s3_bucket, body.s3_key)
    return Asked("s3", path, _joined(state, asked, body), lambda job: state.s3.fetch(target, path, job))


def _query_options(request: Request) -> AskedOptions:
    given = request.query_params.multi_items()
    texts = dict(given)
    if len(texts) < len(given):
        raise InvalidOption("an option is given twice in the query; send it once")
    return read_asked(texts)


def _joined(state: ServiceState, query: AskedOptions, body: AskedOptions) -> AskedOptions:
    given = body.chosen()
    if twice := query.model_fields_set & given.keys():
        raise InvalidOption(f"{min(twice)}: given in the query and in the body; send it once")
    joined = query.model_copy(update=given)
    check_peer(state, joined)
    return joined


async def _read_json(request: Request, within_seconds: float) -> Any:
    body = bytearray()
    try:
        async with asyncio.timeout(within_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_JSON_BYTES:
                    raise MalformedRequest("the JSON body is far larger than the place of a file needs")
    except TimeoutError as error:
        raise MalformedRequest("the JSON body did not arrive in time") from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("the body is not valid JSON") from error


async def gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

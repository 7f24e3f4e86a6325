"""An upload, as a form or as the body itself, streamed to disk within its limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.parser import UnexpectedPartException
from streaming_form_data.targets import FileTarget, ValueTarget
from streaming_form_data.validators import MaxSizeValidator, ValidationError

from sg_common.errors import Cancelled, LimitExceeded, MalformedRequest, UploadTimeout
from sg_common.settings import ServiceSettings
from sg_common.sources.request import AskedOptions, unknown_option
from sg_common.sources.workspace import work_file_errors

MAX_FIELD_BYTES = 1024
FORM_OVERHEAD_BYTES = 64 * 1024
_BATCH = 1 << 20


class _Once:
    """Marks on a part: begun at most once, and whether its closing boundary came."""

    begun = False
    complete = False

    def begin(self, name: str) -> None:
        if self.begun:
            raise MalformedRequest(f"the form has more than one part named '{name}'")
        self.begun = True


class _File(FileTarget):  # type: ignore[misc]
    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(str(path), validator=MaxSizeValidator(max_bytes))
        self.once = _Once()

    def on_start(self) -> None:
        self.once.begin("file")
        super().on_start()

    def on_finish(self) -> None:
        super().on_finish()
        self.once.complete = True

    def close(self) -> None:
        if self._fd is not None:
            self._fd.close()


class _Value(ValueTarget):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        super().__init__(validator=MaxSizeValidator(MAX_FIELD_BYTES))
        self._name = name
        self.once = _Once()

    def on_start(self) -> None:
        self.once.begin(self._name)
        super().on_start()


async def receive_form(request: Request, path: Path, settings: ServiceSettings) -> dict[str, str]:
    """Stream the form's `file` to `path` and return the texts of its options.

    Raises:
        InvalidOption, MalformedRequest, LimitExceeded, UploadTimeout, Unavailable, Cancelled.
    """
    try:
        headers = {"Content-Type": request.headers.get("content-type", "")}
        parser = StreamingFormDataParser(headers, strict=True)
    except (ParseFailedException, ValueError, UnicodeError) as error:
        raise MalformedRequest("a multipart/form-data request needs a boundary in its Content-Type") from error
    file = _File(path, settings.max_upload_bytes)
    parser.register("file", file)
    options = {name: _Value(name) for name in AskedOptions.model_fields}
    for name, value in options.items():
        parser.register(name, value)
    try:
        async with aclosing(_batches(request, settings, FORM_OVERHEAD_BYTES)) as batches:
            async for batch in batches:
                with work_file_errors():
                    await asyncio.to_thread(parser.data_received, batch)
    except ValidationError as error:
        raise _too_large(settings.max_upload_bytes) from error
    except UnexpectedPartException as error:
        raise unknown_option(error.part_name) from error
    except ParseFailedException as error:
        raise MalformedRequest("the body is not the multipart form that its Content-Type announces") from error
    finally:
        file.close()
    if not file.once.begun:
        raise MalformedRequest("the form has no part named 'file'; send the media as: -F file=@clip.mp4")
    if not file.once.complete:
        raise MalformedRequest("the form ends within its file; the upload was cut off")
    given = {name: value for name, value in options.items() if value.once.begun}
    return {name: bytes(value.value).decode("utf-8", errors="replace") for name, value in given.items()}


async def receive_body(request: Request, path: Path, settings: ServiceSettings) -> None:
    """Stream the body to `path`.

    Raises:
        MalformedRequest, LimitExceeded, UploadTimeout, Unavailable, Cancelled.
    """
    with work_file_errors():
        file = path.open("wb")
    with file:
        async with aclosing(_batches(request, settings)) as batches:
            async for batch in batches:
                with work_file_errors():
                    await asyncio.to_thread(file.write, batch)
        with work_file_errors():
            file.flush()
        if not file.tell():
            raise MalformedRequest(
                "the body is empty; send the media as --data-binary @clip.mp4 or -F file=@clip.mp4, "
                "or JSON with 's3_bucket' and 's3_key', or with 'url'"
            )


async def _batches(request: Request, settings: ServiceSettings, overhead: int = 0) -> AsyncGenerator[bytes, None]:
    """The body in large pieces; `overhead`: bytes that it may have beyond the file's."""
    most = settings.max_upload_bytes + overhead
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise _too_large(settings.max_upload_bytes)
    stream = request.stream().__aiter__()
    started = time.monotonic()
    received = 0
    batch = bytearray()
    try:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), settings.upload_stall_seconds)
            except StopAsyncIteration:
                break
            received += len(chunk)
            _check_pace(received, time.monotonic() - started, settings)
            if received > most:
                raise _too_large(settings.max_upload_bytes)
            batch += chunk
            if len(batch) >= _BATCH:
                yield bytes(batch)
                batch.clear()
    except TimeoutError as error:
        raise UploadTimeout(f"no byte came for {settings.upload_stall_seconds:g} s; send the file again") from error
    except ClientDisconnect as error:
        raise Cancelled("the client went away during its upload") from error
    if batch:
        yield bytes(batch)


def _check_pace(received: int, seconds: float, settings: ServiceSettings) -> None:
    least = settings.upload_min_bytes_per_second
    if seconds > settings.upload_stall_seconds and received < seconds * least:
        raise UploadTimeout(f"the upload is slower than {least:,} bytes a second; send it again")


def _too_large(max_bytes: int) -> LimitExceeded:
    return LimitExceeded(f"the file has more than {max_bytes:,} bytes; cut it, or raise SG_MAX_UPLOAD_BYTES")

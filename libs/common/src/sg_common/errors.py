"""The failures that a caller can meet, as one tree.

    ServiceError                      code, HTTP status, title, retryable
    ├── MalformedRequest        400
    ├── Unauthorized            401
    ├── Forbidden               403
    ├── NotFound                404
    ├── UploadTimeout           408
    ├── LimitExceeded           413
    ├── NotMedia                415
    ├── Undecodable             422
    │   └── MissingStream       422   decodable, but without a stream of the analyzer's kind
    ├── InvalidOption           422
    ├── TooBusy                 429   retryable
    ├── StorageUnavailable      502   retryable
    ├── QueueUnavailable        502   retryable
    ├── Unavailable             503   retryable (loading or draining)
    ├── DeadlineExceeded        504   retryable
    ├── UnexpectedFailure       500   retryable by the queue: a bug, or a file that provokes one
    └── Cancelled               499   nobody waits for the answer any more

The doors translate these: HTTP into problem documents, the queue worker into failed results or redelivery,
the command line into a sentence. `BundleError` and `SettingsError` stop a process at start-up.
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """A failure with a sentence for the caller.

    Args:
        detail: what is wrong and what the caller can do about it.
        retry_after: seconds after which the same request may succeed; None where a retry is pointless.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    default_retry_after: ClassVar[int | None] = None
    # whether the caller's connection ends with the answer, the rest of the request unread
    ends_connection: ClassVar[bool] = False

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = self.default_retry_after if retry_after is None else retry_after


class MalformedRequest(ServiceError):
    code, status, title = "malformed-request", 400, "Malformed request"


class Unauthorized(ServiceError):
    code, status, title = "unauthorized", 401, "API key missing or wrong"


class Forbidden(ServiceError):
    code, status, title = "forbidden", 403, "Object not allowed"


class NotFound(ServiceError):
    code, status, title = "not-found", 404, "No such object"


class UploadTimeout(ServiceError):
    code, status, title, retryable = "upload-timeout", 408, "Upload too slow", True
    # or a caller who trickles bytes keeps the connection for ever (RFC 9110, section 15.5.9)
    ends_connection = True


class LimitExceeded(ServiceError):
    code, status, title = "limit-exceeded", 413, "Over a limit"


class NotMedia(ServiceError):
    code, status, title = "not-media", 415, "Not a media file"


class Undecodable(ServiceError):
    code, status, title = "undecodable", 422, "Media cannot be decoded"


class MissingStream(Undecodable):
    """The file is media, but holds no stream of the analyzer's kind (a video without sound, an mp3 for video)."""

    code, title = "missing-stream", "Needed stream missing"


class InvalidOption(ServiceError):
    code, status, title = "invalid-option", 422, "Option out of range"


class TooBusy(ServiceError):
    code, status, title, retryable = "too-busy", 429, "Too busy", True
    default_retry_after = 5


class StorageUnavailable(ServiceError):
    code, status, title, retryable = "storage-unavailable", 502, "Storage does not answer", True
    default_retry_after = 5


class QueueUnavailable(ServiceError):
    """SQS or Step Functions failed a call; `code_of_store` is its own word for it, empty where it did not answer."""

    code, status, title, retryable = "queue-unavailable", 502, "Queue does not answer", True

    def __init__(self, detail: str, *, code_of_store: str = "") -> None:
        super().__init__(detail)
        self.code_of_store = code_of_store


class Unavailable(ServiceError):
    code, status, title, retryable = "unavailable", 503, "Not accepting work", True
    default_retry_after = 10


class DeadlineExceeded(ServiceError):
    code, status, title, retryable = "deadline-exceeded", 504, "Deadline passed", True


class UnexpectedFailure(ServiceError):
    retryable = True


class Cancelled(ServiceError):
    code, status, title, retryable = "cancelled", 499, "Cancelled", True


class BundleError(Exception):
    """A model bundle that must not be served; the message says which part of it is wrong."""


class SettingsError(Exception):
    """Configuration that cannot work; the message names the variable."""

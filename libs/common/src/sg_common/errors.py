"""The failures that a caller can meet, as one tree.

    ServiceError                    code, HTTP status, title, retryable
    ├── MalformedRequest        400
    ├── Unauthorized            401
    ├── Forbidden               403
    ├── NotFound                404
    ├── UploadTimeout           408
    ├── LimitExceeded           413
    ├── NotMedia                415
    ├── EncodedBody             415   compressed on its way (Content-Encoding)
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

    ConfigurationError                stops a process at start-up with a sentence for its operator
    ├── BundleError
    └── SettingsError

The doors translate these: HTTP into problem documents, the queue worker into failed results or redelivery,
the command line into a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self


class ServiceError(Exception):
    """A failure with a sentence for the caller.

    Args:
        detail: what is wrong and what the caller can do about it.
        retry_after: seconds after which the same request may succeed; None where a retry is pointless.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
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
    code, status, title = "forbidden", 403, "Object outside the allow-list, or denied by its store"


class NotFound(ServiceError):
    code, status, title = "not-found", 404, "No such object"


class UploadTimeout(ServiceError):
    code, status, title, retryable = "upload-timeout", 408, "Upload too slow", True
    # or a caller who trickles bytes keeps the connection for ever (RFC 9110, section 15.5.9)
    ends_connection = True


class LimitExceeded(ServiceError):
    code, status, title = "limit-exceeded", 413, "Larger, longer or with more pixels than the limits"


class NotMedia(ServiceError):
    code, status, title = "not-media", 415, "Not a media file"


class EncodedBody(ServiceError):
    code, status, title = "encoded-body", 415, "Content-Encoding not supported"


class Undecodable(ServiceError):
    code, status, title = "undecodable", 422, "Media cannot be decoded"


class MissingStream(Undecodable):
    """The file is media, but holds no stream of the analyzer's kind (a video without sound, an mp3 for video)."""

    code, title = "missing-stream", "Needed stream missing"


class InvalidOption(ServiceError):
    code, status, title = "invalid-option", 422, "Option unknown or out of range"


class TooBusy(ServiceError):
    code, status, title, retryable = "too-busy", 429, "Too busy", True
    default_retry_after = 5


class StorageUnavailable(ServiceError):
    code, status, title, retryable = "storage-unavailable", 502, "Storage does not answer", True
    default_retry_after = 5


class QueueUnavailable(ServiceError):
    """SQS or Step Functions failed a call; `code_of_store` is AWS's own word for it, empty without an answer."""

    code, status, title, retryable = "queue-unavailable", 502, "Queue does not answer", True

    def __init__(self, detail: str, *, retry_after: int | None = None, code_of_store: str = "") -> None:
        super().__init__(detail, retry_after=retry_after)
        self.code_of_store = code_of_store


class Unavailable(ServiceError):
    code, status, title, retryable = "unavailable", 503, "Not accepting work", True
    default_retry_after = 10


class DeadlineExceeded(ServiceError):
    code, status, title, retryable = "deadline-exceeded", 504, "Deadline passed; the work was cancelled", True


class UnexpectedFailure(ServiceError):
    code, status, title, retryable = "internal-error", 500, "Internal error", True

    @classmethod
    def of(cls, cause: BaseException) -> Self:
        """The failure that a bug is told as."""
        return cls(f"an unexpected failure ({type(cause).__name__}); the service's log has it")


class Cancelled(ServiceError):
    code, status, title, retryable = "cancelled", 499, "Cancelled", True


def failures(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Every kind of failure, in the tree's order."""
    for kind in root.__subclasses__():
        yield kind
        yield from failures(kind)


class ConfigurationError(Exception):
    """Something that its operator must put right before the process can do its work."""


class BundleError(ConfigurationError):
    """A model bundle that must not be served; the message says which part of it is wrong."""


class SettingsError(ConfigurationError):
    """Configuration that cannot work; the message names the variable."""

"""What can be wrong with a media file. A child tells its parent the code and the sentence."""

from __future__ import annotations

from typing import ClassVar


class DecodeError(Exception):
    """Args: detail: what is wrong and what the sender of the file can do about it."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotMedia(DecodeError):
    code = "not-media"


class LimitExceeded(DecodeError):
    code = "limit-exceeded"


class Undecodable(DecodeError):
    code = "undecodable"


class MissingStream(Undecodable):
    """The file is media, but holds no stream of the wanted kind."""

    code = "missing-stream"

"""How a caller would like its answer: `Accept`, `Accept-Language` (RFC 9110) and `Prefer` (RFC 7240)."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.datastructures import Headers

from sg_common.words.languages import Language, best

RESPOND_ASYNC = "respond-async"
EVENTS = "text/event-stream"


def wants_events(headers: Headers) -> bool:
    """Whether `Accept` names events, and JSON not before them."""
    wanted = dict(_items(headers, "accept"))
    return wanted.get(EVENTS, 0.0) > 0 and wanted[EVENTS] >= wanted.get("application/json", 0.0)


def wants_page(headers: Headers) -> bool:
    """Whether `Accept` prefers HTML to JSON, as browsers do."""
    wanted = dict(_items(headers, "accept"))
    return wanted.get("text/html", 0.0) > wanted.get("application/json", 0.0)


def language(headers: Headers) -> Language:
    """The language that suits `Accept-Language` best (RFC 9110, 12.5.4); ours where none does."""
    ranked = sorted(_items(headers, "accept-language"), key=lambda wish: -wish[1])
    return best(tag for tag, weight in ranked if weight > 0)


def wants_job(headers: Headers) -> bool:
    return any(name == RESPOND_ASYNC for name, _ in _items(headers, "prefer"))


def _items(headers: Headers, name: str) -> Iterator[tuple[str, float]]:
    """The items of a list header in lower case, each with its weight (`q`; 0 where that can't be read)."""
    for item in ",".join(headers.getlist(name)).lower().split(","):
        value, *parameters = (part.strip() for part in item.split(";"))
        weights = [part.removeprefix("q=") for part in parameters if part.startswith("q=")]
        try:
            yield value, float(weights[0]) if weights else 1.0
        except ValueError:
            yield value, 0.0

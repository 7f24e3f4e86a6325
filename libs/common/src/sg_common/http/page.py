"""The page for people at `/`, and what it is made of."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from sg_view.site import SITE_POLICY, read_asset, site

from sg_common.errors import NotFound
from sg_common.http.preferences import wants_page
from sg_common.http.state import ServiceState

HEADERS = {
    "Content-Security-Policy": SITE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Browsers keep what the page is made of, and ask each time whether it is still the same."""
ASSETS = "/page"


class Page:
    """The page of one service."""

    def __init__(self, state: ServiceState) -> None:
        self._state = state

    def front(self, request: Request) -> Response | None:
        """The page, for those who prefer HTML."""
        if not wants_page(request.headers):
            return None
        settings, service = self._state.settings, self._state.service
        text = site(
            root=request.scope.get("root_path", ""),
            assets=ASSETS,
            kind=service.kind,
            peer=service.peer if self._state.peer else "",
            keys=bool(settings.api_keys),
            max_bytes=settings.max_upload_bytes,
        )
        return Response(text, headers={**HEADERS, "Vary": "Accept"}, media_type="text/html")

    def add_assets(self, app: FastAPI) -> None:
        """Routes to scripts, styles and whatever else the page loads."""

        @app.get(ASSETS + "/{name:path}", include_in_schema=False)
        async def page_asset(name: str, request: Request) -> Response:
            asset = read_asset(name)
            if asset is None:
                raise NotFound("the page is made of no such file")
            headers = {**HEADERS, "ETag": asset.etag}
            if asset.etag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            return Response(asset.content, headers=headers, media_type=asset.media_type)

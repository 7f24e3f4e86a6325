"""`/docs`: the API's description for people. Its parts are shipped, so that it works without another network."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse

PARTS = Path(__file__).parent / "swagger_ui"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-description="{root}/openapi.json"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
_DAY = "public, max-age=86400"


def add_docs(app: FastAPI) -> None:
    """Add the page and its parts, which describe themselves to nobody."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = _PAGE.format(title=html.escape(app.title), root=html.escape(root))
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> FileResponse:
        return FileResponse(PARTS / "start.js", media_type="text/javascript", headers={"Cache-Control": _DAY})

    for name, media_type in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css")):
        app.get(f"/docs/{name}", include_in_schema=False, name=name)(_compressed(name, media_type))


def _compressed(name: str, media_type: str) -> Callable[[], Awaitable[FileResponse]]:
    headers = {"Content-Encoding": "gzip", "Cache-Control": _DAY}

    async def part() -> FileResponse:
        return FileResponse(PARTS / f"{name}.gz", media_type=media_type, headers=headers)

    return part

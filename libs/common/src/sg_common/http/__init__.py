"""The HTTP door: a FastAPI application around one analyzer."""

from sg_common.http.app import create_app

__all__ = ["create_app"]

"""The HTTP door: a FastAPI application around one analyzer."""

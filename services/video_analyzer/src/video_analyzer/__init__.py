"""The video expert."""

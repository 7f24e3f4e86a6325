"""The audio expert."""

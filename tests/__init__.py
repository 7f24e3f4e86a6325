"""Tests of the whole, and what tests share."""

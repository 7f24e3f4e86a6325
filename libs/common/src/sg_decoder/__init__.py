"""FFmpeg on untrusted bytes: what runs in a decoder child, confined, answering over a pipe.

A package of its own, since a child loads what it decodes with and nothing of the service.
"""

"""How an answer is shown to a person: one view, for files of their own (`silver-guardian analyze --report`) and pages.

It knows answers as documents, by the names of their fields (docs/api.md), and imports nothing of the doors or services.
"""

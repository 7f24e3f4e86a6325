"""Writes docs/configuration.md from the settings classes, so that the page cannot drift from the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audio_analyzer.settings import AudioSettings
from pydantic.fields import FieldInfo
from sg_common.settings import ServiceSettings
from video_analyzer.settings import VideoSettings

from tools.pages import finish

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

HEAD = """# Configuration

Every setting is an environment variable. An impossible value stops the process at start with a sentence that names the
variable. This page is written by `make docs` from the settings classes.

AWS is configured by AWS's own variables: `AWS_REGION`, `AWS_ENDPOINT_URL` (for another S3-compatible store or queue),
`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, or the role of the pod.
"""


def variable(name: str, field: FieldInfo) -> str:
    """The environment variables that a field reads."""
    alias: Any = field.validation_alias
    if alias is None:
        return f"`SG_{name.upper()}`"
    choices = [alias] if isinstance(alias, str) else [str(choice) for choice in alias.choices]
    return ", ".join(f"`{choice}`" for choice in choices if choice.startswith("SG_"))


def default(name: str, field: FieldInfo) -> str:
    if name == "models_root":
        return "`models`"
    value = field.get_default(call_default_factory=False)
    if value is None or value == ():
        return ""
    return f"`{value}`"


def table(fields: dict[str, FieldInfo]) -> str:
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in fields.items():
        if not field.description:
            raise SystemExit(f"the setting {name} has no description")
        rows.append(f"| {variable(name, field)} | {default(name, field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def traits(field: FieldInfo) -> tuple[object, object]:
    """What makes a service's field differ from the common one."""
    return field.default, field.validation_alias


def page() -> str:
    """The whole page."""
    common = ServiceSettings.model_fields
    parts = [HEAD, "## Both services\n", table(dict(common))]
    for title, settings in (("Audio", AudioSettings), ("Video", VideoSettings)):
        own = {
            name: field
            for name, field in settings.model_fields.items()
            if name not in common or traits(field) != traits(common[name])
        }
        parts += [f"## {title} only, or with another default\n", table(own)]
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(finish({PAGE: page()}))

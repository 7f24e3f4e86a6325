"""Recipes: one TOML file for each shipped model, which says everything that decides what is made."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")
"""A recipe's tables refuse what they do not know."""
T = TypeVar("T")


@dataclass(frozen=True, config=STRICT)
class Release:
    """What the bundle is called. `weights`: the license of the weights, in words."""

    name: str
    version: str
    weights: str

    @property
    def license(self) -> str:
        """The bundle's license, of code and weights."""
        return f"Apache-2.0 for the code; {self.weights}"


def read_recipe(kind: type[T], path: Path) -> T:
    """Read a recipe.

    Raises:
        ValueError: a setting is unknown, missing or impossible; the message names it.
    """
    try:
        return TypeAdapter(kind).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ValueError(f"{path}: {place}: {first['msg']}") from error

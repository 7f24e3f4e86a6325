"""Recipes say everything, refuse what they do not know, and name what ships."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from sg_common.bundle.spec import read_spec

from training.audio import recipe as audio
from training.audio.__main__ import commands as audio_commands
from training.video import recipe as video
from training.video.__main__ import commands as video_commands

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(("kind", "recipes"), [("audio", audio), ("video", video)])
def test_the_shipped_recipe_is_the_shipped_bundles(kind: str, recipes: ModuleType) -> None:
    recipe, spec = recipes.load(), read_spec(MODELS / kind)
    assert (spec.name, spec.version, spec.license) == (
        recipe.release.name,
        recipe.release.version,
        recipe.release.license,
    )
    assert ("int8" in spec.variants) == getattr(recipe, "int8", False)
    assert recipes.DEFAULT.stem == spec.name


@pytest.mark.parametrize(
    ("recipes", "old", "new", "sentence"),
    [
        (audio, "seeds = ", "sedes = ", "seeds"),
        (audio, "hidden = ", "hidden = 'wide' #", "hidden"),
        (audio, "[release]", "surprise = 1\n[release]", "surprise"),
        (video, "landmarks = ", "landmark = ", "landmarks"),
        (video, "ridge = ", "ridge = 'high' #", "ridge"),
        (video, "[release]", "surprise = 1\n[release]", "surprise"),
    ],
)
def test_a_wrong_setting_is_named(recipes: ModuleType, old: str, new: str, sentence: str, tmp_path: Path) -> None:
    text = recipes.DEFAULT.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=f"recipe.toml: .*{sentence}"):
        recipes.load(path)


@pytest.mark.parametrize("commands", [audio_commands, video_commands])
def test_a_bare_export_writes_nowhere(commands: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands().main(["export", "--data", "corpus"])  # type: ignore[operator]
    assert "--bundle" in capsys.readouterr().err

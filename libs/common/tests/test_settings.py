from __future__ import annotations

from pathlib import Path

import pytest
from sg_common.errors import SettingsError
from sg_common.settings import ServiceSettings

IMPOSSIBLE = [
    ("SG_PORT", "99999"),
    ("SG_THREADS", "0"),
    ("SG_LOG_FORMAT", "xml"),
    ("SG_CORS_ORIGINS", "app.example"),
    ("SG_CORS_ORIGINS", "https://app.example/"),
    ("SG_CORS_ORIGINS", "https://*.example"),
    ("SG_C2PA_ANCHORS", "/no/such.pem"),
    ("SG_C2PA_ANCHORS", __file__),
    ("SG_URL_ALLOW", "https://media.example"),
    ("SG_URL_ALLOW", "media.example:65536"),
    ("SG_URL_ALLOW", "*"),
    ("SG_URL_ALLOW", "media.*.example"),
    ("SG_URL_ALLOW", "media.example/*"),
    ("SG_ROOT_PATH", "audio"),
    ("SG_ROOT_PATH", "/audio/"),
]


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SG_S3_ALLOW", "media/uploads/, other ,")
    monkeypatch.setenv("SG_URL_ALLOW", "media.example,*.media.example:8443/uploads/")
    monkeypatch.setenv("SG_API_KEYS", "first-key,second-key")
    monkeypatch.setenv("SG_CORS_ORIGINS", "https://app.example, http://localhost:3000")
    settings = ServiceSettings.from_environment()
    assert settings.cors_origins == ("https://app.example", "http://localhost:3000")
    assert settings.s3_allow == ("media/uploads/", "other")
    assert settings.url_allow == ("media.example", "*.media.example:8443/uploads/")
    assert [key.get_secret_value() for key in settings.api_keys] == ["first-key", "second-key"]
    assert "first-key" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        ServiceSettings.from_environment()


def test_the_work_folder_is_the_one_that_is_set(tmp_path: Path) -> None:
    assert ServiceSettings(work_dir=tmp_path / "deep").work_folder("audio") == tmp_path / "deep"


def test_threads_reach_runtime_and_decoder() -> None:
    settings = ServiceSettings(threads=3)
    assert settings.runtime().session_threads == 3
    assert settings.decode_limits().threads == 3


def test_bundles_that_are_missing_are_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SG_MODELS_ROOT", str(tmp_path))
    settings = ServiceSettings.from_environment()
    with pytest.raises(SettingsError, match=f"SG_MODELS_ROOT: {tmp_path} has no bundle 'audio'; set it to"):
        settings.bundle_dir("audio")
    (tmp_path / "audio").mkdir()
    assert settings.bundle_dir("audio") == tmp_path / "audio"

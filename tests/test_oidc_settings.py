"""EISHRO_OIDC_PROVIDERS: what is taken, and how a fault is told without a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from eishro.app import identity_providers
from eishro.clock import ManualClock
from eishro.oidc_settings import OidcProvider
from eishro.settings import SettingsError, load
from tests.adapters.identity.test_oidc import House

GOOD: dict[str, Any] = {
    "name": "google",
    "issuer": "https://accounts.google.com",
    "clientId": "an id",
    "clientSecret": "hush, hush",
}


def _environ(folder: Path, *providers: object, **more: str) -> dict[str, str]:
    return {
        "EISHRO_DATA_DIR": str(folder),
        "EISHRO_OIDC_PROVIDERS": json.dumps(providers),
        **more,
    }


def test_providers_are_read_and_known_by_name(tmp_path: Path) -> None:
    other = {**GOOD, "name": "house", "issuer": "http://127.0.0.1:9000/realm", "scopes": "openid"}
    settings = load(_environ(tmp_path, GOOD, other))
    google = OidcProvider(
        name="google",
        issuer="https://accounts.google.com",
        client_id="an id",
        client_secret="hush, hush",  # noqa: S106 - no secret
    )
    assert settings.oidc_providers[0] == google
    clock = ManualClock()
    found = identity_providers(settings, House(clock), clock)
    assert {name: one.issuer for name, one in found.items()} == {
        "google": "https://accounts.google.com",
        "house": "http://127.0.0.1:9000/realm",
    }
    assert "hush" not in repr(settings.oidc_providers)


def test_there_are_none_unless_they_are_set(tmp_path: Path) -> None:
    for text in ("", "[]"):
        environ = {"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_OIDC_PROVIDERS": text}
        assert load(environ).oidc_providers == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Google"}, "is no name"),
        ({"name": "complete"}, "is no name"),
        ({"name": "../x"}, "is no name"),
        ({"issuer": "accounts.google.com"}, "no address"),
        ({"issuer": "https://accounts.google.com?x=1"}, "no address"),
        ({"clientSecret": ""}, "come from the provider"),
        ({"scopes": "email"}, "must name openid"),
        ({"clientSecret": 5}, "clientSecret"),
        ({"secret": "hush, hush"}, "secret"),
    ],
)
def test_a_fault_is_named_and_no_secret_shown(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(SettingsError) as fault:
        load(_environ(tmp_path, {**GOOD, **change}))
    (line,) = fault.value.faults
    assert line.startswith("EISHRO_OIDC_PROVIDERS")
    assert told in line
    assert "hush" not in line


def test_text_that_is_no_list_is_answered_with_the_form_of_one(tmp_path: Path) -> None:
    environ = {"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_OIDC_PROVIDERS": "google=hush"}
    with pytest.raises(SettingsError, match="use a list in JSON") as fault:
        load(environ)
    assert "hush" not in str(fault.value)


def test_names_are_given_once_and_issuers_speak_https_outside_development(
    tmp_path: Path,
) -> None:
    with pytest.raises(SettingsError, match="two providers have one name"):
        load(_environ(tmp_path, GOOD, GOOD))
    plain = {**GOOD, "issuer": "http://127.0.0.1:9000"}
    with pytest.raises(SettingsError, match="must begin with https"):
        load(_environ(tmp_path, plain, EISHRO_ENV="staging", EISHRO_SECRET_KEYS="k" * 40))

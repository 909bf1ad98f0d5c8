"""Settings: what is malformed is named with its fix, what is dangerous is refused."""

import stat
from pathlib import Path

import pytest

from eishro.settings import (
    TEST_SECRET_KEY,
    Rate,
    SettingsError,
    development_secret,
    load,
)

_PRODUCTION = {
    "EISHRO_ENV": "production",
    "EISHRO_SECRET_KEYS": "x" * 40,
    "EISHRO_PUBLIC_URL": "https://shop.example.ly",
}


def test_an_empty_environment_is_a_working_development_shop(tmp_path: Path) -> None:
    settings = load({"EISHRO_DATA_DIR": str(tmp_path)})
    assert settings.env == "development"
    assert settings.database_url == f"sqlite:///{tmp_path / 'eishro.db'}"
    assert settings.rate_limit_anonymous == Rate(100, 3600)
    assert len(settings.secret_keys[0]) >= 32


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "EISHRO_DATABSE_URL": "sqlite:///x",
                "EISHRO_BCRYPT_COST": "99",
                "EISHRO_RATE_LIMIT_PAYMENTS": "often",
                "EISHRO_STORE_APPROVAL": "perhaps",
            }
        )
    text = str(caught.value)
    for name in ("DATABSE_URL", "BCRYPT_COST", "RATE_LIMIT_PAYMENTS", "STORE_APPROVAL"):
        assert f"EISHRO_{name}" in text


def test_a_limit_can_be_switched_off(tmp_path: Path) -> None:
    settings = load({"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_RATE_LIMIT_ANONYMOUS": "off"})
    assert settings.rate_limit_anonymous is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"EISHRO_SECRET_KEYS": "short"}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_SECRET_KEYS": ""}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_PUBLIC_URL": "http://shop.example.ly"}, "EISHRO_PUBLIC_URL"),
        ({"EISHRO_CORS_ORIGINS": "*"}, "EISHRO_CORS_ORIGINS"),
        ({"EISHRO_MOAMALAT_SECRET_KEY": TEST_SECRET_KEY}, "EISHRO_MOAMALAT_SECRET_KEY"),
        ({"EISHRO_MOAMALAT_MERCHANT_ID": "10081014649"}, "EISHRO_MOAMALAT_MERCHANT_ID"),
    ],
)
def test_production_refuses_what_would_hurt(change: dict[str, str], named: str) -> None:
    load(_PRODUCTION)
    with pytest.raises(SettingsError, match=named):
        load({**_PRODUCTION, **change})


def test_no_secret_is_shown() -> None:
    settings = load({**_PRODUCTION, "EISHRO_MOAMALAT_SECRET_KEY": "ab" * 16})
    assert "x" * 40 not in repr(settings)
    assert "abab" not in repr(settings)


def test_a_development_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = development_secret(tmp_path)
    assert development_secret(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "development-secret").stat().st_mode) == 0o600

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

_SECRET = "one-of-the-tests-own-and-long-enough"
_PRODUCTION = {
    "EISHRO_ENV": "production",
    "EISHRO_SECRET_KEYS": _SECRET,
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
                "EISHRO_SECRET_KEYS": "short",
                "EISHRO_TRUSTED_PROXIES": "proxy",
                "EISHRO_PUBLIC_URL": "shop",
                "EISHRO_CORS_ORIGINS": "https://one.example, two.example",
            }
        )
    text = str(caught.value)
    for name in (
        *("DATABSE_URL", "BCRYPT_COST", "RATE_LIMIT_PAYMENTS", "STORE_APPROVAL"),
        *("SECRET_KEYS", "TRUSTED_PROXIES", "PUBLIC_URL", "CORS_ORIGINS"),
    ):
        assert text.count(f"EISHRO_{name}") == 1


def test_faults_in_production_are_named_with_what_cannot_be_read() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"EISHRO_ENV": "production", "EISHRO_LOG_LEVEL": "loud"}, is_dev=True)
    named = [fault.split()[0].rstrip(":") for fault in caught.value.faults]
    assert named == [
        *("EISHRO_LOG_LEVEL", "EISHRO_SECRET_KEYS", "EISHRO_PUBLIC_URL", "EISHRO_ENV"),
    ]


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("EISHRO_ENV", "prod", "use development or staging or production"),
        ("EISHRO_LOG_FORMAT", "JSON", "use console or json"),
        ("EISHRO_MOAMALAT_STAMP_DIGITS", "15", "use 14 or 17"),
        ("EISHRO_MOAMALAT_STAMP_DIGITS", "many", "use 14 or 17"),
        ("EISHRO_BCRYPT_COST", "99", "use a whole number from 4 to 16"),
        ("EISHRO_BODY_SECONDS", "0", "use a whole number from 1 to 600"),
        ("EISHRO_STORE_APPROVAL", "perhaps", "use on or off"),
    ],
)
def test_a_wrong_word_or_number_is_answered_with_the_right_ones(
    variable: str, value: str, advice: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load({variable: value})
    assert caught.value.faults == [f"{variable}: {advice}"]


@pytest.mark.parametrize(
    "address",
    ["", "shop.example.ly", "ftp://shop.example.ly", "https://", "https:///path", "https://a b.ly",
     "https://u:p@shop.example.ly", "https://shop.example.ly?x=1", "https://shop.example.ly/#x",
     "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:99999/"],
)  # fmt: skip
def test_a_public_address_has_its_form_everywhere(address: str) -> None:
    with pytest.raises(SettingsError, match="EISHRO_PUBLIC_URL"):
        load({"EISHRO_PUBLIC_URL": address})


@pytest.mark.parametrize(
    "origin",
    ["null", "shop.example.ly", "https://shop.example.ly/", "https://shop.example.ly/path",
     "https://Shop.example.ly", "https://*.example.ly", "https://", "https://shop.example.ly:65536"],
)  # fmt: skip
def test_an_origin_has_its_form_everywhere(origin: str) -> None:
    with pytest.raises(SettingsError, match="EISHRO_CORS_ORIGINS"):
        load({"EISHRO_CORS_ORIGINS": f"https://one.example,{origin}"})


def test_addresses_of_every_sound_form_are_taken(tmp_path: Path) -> None:
    origins = "http://localhost:3000,https://shop.example.ly,capacitor://localhost,http://[::1]:80"
    for address in ("http://[::1]:8000", "HTTPS://Shop.example.ly/api/", "http://10.0.0.1:65535"):
        load(
            {
                "EISHRO_DATA_DIR": str(tmp_path),
                "EISHRO_PUBLIC_URL": address,
                "EISHRO_CORS_ORIGINS": origins,
            }
        )


def test_holds_of_one_buyer_are_limited_outside_development_unless_rates_are_off() -> None:
    def holds(**said: str) -> tuple[int | None, ...]:
        environ = {"EISHRO_ENV": "staging", "EISHRO_SECRET_KEYS": "k" * 32, **said}
        return load(environ).holds

    assert load({}).holds == (None, None, None)
    assert load({"EISHRO_HOLD_ORDERS_PER_PHONE": "3"}).holds == (3, None, None)
    assert holds() == (10, 200, 10)
    assert holds(EISHRO_HOLD_PIECES_PER_PHONE="off", EISHRO_HOLD_ORDERS_PER_CUSTOMER="2") == (
        10,
        None,
        2,
    )
    for rate in ("AUTHENTICATED", "ANONYMOUS", "PAYMENTS"):
        assert holds(**{f"EISHRO_RATE_LIMIT_{rate}": "off"}) == (None, None, None)
    for wrong in ("0", "-1", "2.5", "many", "1000001"):
        with pytest.raises(SettingsError, match="EISHRO_HOLD_ORDERS_PER_PHONE"):
            holds(EISHRO_HOLD_ORDERS_PER_PHONE=wrong)


def test_risk_counts_buyers_unless_rates_are_off() -> None:
    assert load({}).limits_are_on
    assert not load({"EISHRO_RATE_LIMIT_PAYMENTS": "off"}).limits_are_on


def test_a_limit_can_be_switched_off(tmp_path: Path) -> None:
    settings = load({"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_RATE_LIMIT_ANONYMOUS": "off"})
    assert settings.rate_limit_anonymous is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"EISHRO_SECRET_KEYS": "short"}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_SECRET_KEYS": ""}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_SECRET_KEYS": "x" * 40}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_SECRET_KEYS": f"{_SECRET},{'0123456789abcdef' * 3}"}, "EISHRO_SECRET_KEYS"),
        ({"EISHRO_SECRET_KEYS": "abcabcabdabcabcabdabcabcacabcabcacba"}, "EISHRO_SECRET_KEYS"),
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


def test_a_secret_has_ten_different_characters_in_production(tmp_path: Path) -> None:
    nine, ten = "abcdefghiaiabfhgedcahgabcdfeiabca", "abcdefghijaiabfhgedcjhgabcdfeibca"
    assert (len(set(nine)), len(set(ten))) == (9, 10)
    load({**_PRODUCTION, "EISHRO_SECRET_KEYS": ten})
    with pytest.raises(SettingsError, match="EISHRO_SECRET_KEYS: a key is easily guessed"):
        load({**_PRODUCTION, "EISHRO_SECRET_KEYS": f"{_SECRET},{nine}"})
    load({"EISHRO_DATA_DIR": str(tmp_path), "EISHRO_SECRET_KEYS": nine})


def test_no_secret_is_shown() -> None:
    settings = load({**_PRODUCTION, "EISHRO_MOAMALAT_SECRET_KEY": "ab" * 16})
    assert _SECRET not in repr(settings)
    assert "abab" not in repr(settings)


def test_a_development_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = development_secret(tmp_path)
    assert development_secret(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "development-secret").stat().st_mode) == 0o600

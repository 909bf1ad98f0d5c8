"""Every setting: name, type, default, meaning. Environment variables, prefix `EISHRO_`.

The variable of a field is its name in capitals: `order_expiry_minutes` is
`EISHRO_ORDER_EXPIRY_MINUTES`. Everything is optional in development; production refuses
defaults that would hurt. Only `app.py` and `cli/` read settings.
"""

import ipaddress
import os
import re
import secrets
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from eishro import gateway_settings
from eishro.adapters.payments.moamalat import GATEWAY as MOAMALAT
from eishro.adapters.payments.moamalat_fields import (
    TEST_MERCHANT_ID,
    TEST_SECRET_KEYS,
    TEST_TERMINAL_ID,
)
from eishro.oidc_settings import OidcProvider, parse_providers, refusals_of

PREFIX = "EISHRO_"
SECRET_LENGTH_MIN = 32
SECRET_CHARACTERS_MIN = 10  # different ones; of 32 random hex digits, one in 10,000 has fewer

TEST_SECRET_KEY = TEST_SECRET_KEYS[0]

# At most 999 dinars with six decimals.
USD_RATE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
EXAMPLE_USD_RATE = "4.8500"

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_PORT = r"(?:6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
_HOST = rf"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::{_PORT})?"
_PUBLIC_URL = re.compile(rf"https?://{_HOST}(?:/[^\s?#]*)?", re.IGNORECASE)
# As browsers send it: no path, lower case. Apps in a web view have schemes of their own.
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST}")
_RECIPE = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


class SettingsError(Exception):
    """Settings that cannot be used; one line for each, naming the variable and the fix."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Rate(msgspec.Struct, frozen=True):
    """So many requests in so many seconds."""

    requests: int
    seconds: int


class Ceiling(msgspec.Struct, frozen=True):
    """At most so many; None: as many as wanted."""

    most: int | None


CEILING_MAX = 1_000_000
HOLD_ORDERS, HOLD_PIECES = 10, 200  # of one buyer, outside development
_HOLDS = tuple(f"{most}; `off` in development" for most in (HOLD_ORDERS, HOLD_PIECES))


def _about(meaning: str, default: str = "") -> Meta:
    return Meta(description=meaning, extra={"default": default})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, read and checked. `repr` shows no secret."""

    env: Annotated[
        Literal["development", "staging", "production"],
        _about("Where this runs. `production` refuses default secrets and debug features."),
    ] = "development"
    data_dir: Annotated[
        Path, _about("Folder of the embedded profile: database, files, development mails.")
    ] = Path("data")
    database_url: Annotated[
        str,
        _about("`sqlite:///path` or `postgresql://…`.", "SQLite in the data folder"),
    ] = ""
    kv_url: Annotated[str, _about("`memory://`, `redis://…` or `rediss://…`.")] = "memory://"
    blob_url: Annotated[
        str,
        _about("`file:///path` or `s3://bucket?endpoint=…`.", "a folder in the data folder"),
    ] = ""
    secret_keys: Annotated[
        tuple[str, ...],
        _about(
            "Comma-separated secrets of 32 characters or more. The first signs and seals, all "
            "verify and open; rotate by putting a new one in front.",
            "made and kept in the data folder in development",
        ),
    ] = ()
    public_url: Annotated[
        str, _about("The address people reach this installation at; used in links.")
    ] = "http://127.0.0.1:8000"
    smtp_url: Annotated[
        str | None,
        _about("`smtp://user:password@host:587` or `smtps://…`.", "mails are kept in a folder"),
    ] = None
    mail_sender: Annotated[str, _about("The sender of mails.")] = "EISHRO <no-reply@eishro.invalid>"
    sms_url: Annotated[
        str | None,
        _about(
            "Where texts are posted to as JSON, `https://…`.",
            "texts are kept in a folder in development; elsewhere none are sent",
        ),
    ] = None
    sms_authorization: Annotated[
        str, _about("The `Authorization` header of that gateway, such as `Bearer …`.")
    ] = ""
    sms_body: Annotated[
        str,
        _about("What is posted: a JSON object that names `{text}` and `{phone}` or `{digits}`."),
    ] = '{"to": "{phone}", "message": "{text}"}'
    cors_origins: Annotated[
        tuple[str, ...],
        _about(
            "Comma-separated origins of storefronts in browsers; `*` for any. Payers and logins "
            "are led back to those that are named."
        ),
    ] = ()
    sentry_dsn: Annotated[
        str | None,
        _about("Reserved: faults are logged; reporting them elsewhere is not built yet."),
    ] = None
    rate_limit_authenticated: Annotated[
        Rate | None, _about("Requests of a user or key, such as `1000/hour`, or `off`.")
    ] = Rate(1000, 3600)
    rate_limit_anonymous: Annotated[
        Rate | None, _about("Requests of an address without a user, or `off`.")
    ] = Rate(100, 3600)
    rate_limit_payments: Annotated[
        Rate | None, _about("Payment requests of a user or address, or `off`.")
    ] = Rate(50, 3600)
    trusted_proxies: Annotated[
        tuple[str, ...],
        _about("Comma-separated networks whose `X-Forwarded-For` is believed."),
    ] = ()
    store_approval: Annotated[
        bool, _about("`on`: a new store sells only after an admin has approved it.")
    ] = False
    commission: Annotated[
        Decimal,
        _about("The platform's share of what orders bring, in percent with up to 2 decimals."),
    ] = Decimal(0)
    payout_delay_hours: Annotated[
        int,
        Meta(ge=0, le=720),
        _about("How long payouts wait after a store's bank account was changed; 0 is off."),
    ] = 24
    suspense_days: Annotated[
        int, Meta(ge=1, le=365), _about("How soon money without an order is to be placed.")
    ] = 7
    order_expiry_minutes: Annotated[
        int, Meta(ge=1, le=10_080), _about("How long an unpaid online order holds its stock.")
    ] = 60
    transfer_hours: Annotated[
        int,
        Meta(ge=1, le=720),
        _about("How long a buyer has to transfer money; the order holds its stock as long."),
    ] = 72
    transfer_check_hours: Annotated[
        int,
        Meta(ge=0, le=720),
        _about("How long the order waits for people once the buyer has shown a transfer."),
    ] = 48
    cod_confirm_hours: Annotated[
        int,
        Meta(ge=0, le=720),
        _about("How long an order to be paid on delivery waits to be confirmed; 0: for ever."),
    ] = 48
    cod_late_days: Annotated[
        int,
        Meta(ge=1, le=90),
        _about("After how many days cash that a courier still holds is listed as late."),
    ] = 7
    return_days: Annotated[
        int,
        Meta(ge=0, le=365),
        _about("How long after delivery a buyer may ask to return an order; merchants always may."),
    ] = 14
    hold_orders_per_phone: Annotated[
        Ceiling | None,
        _about("Unpaid, unconfirmed orders of one phone over all stores, or `off`.", _HOLDS[0]),
    ] = None
    hold_pieces_per_phone: Annotated[
        Ceiling | None, _about("Pieces in those orders, or `off`.", _HOLDS[1])
    ] = None
    hold_orders_per_customer: Annotated[
        Ceiling | None, _about("Such orders of one account, or `off`.", _HOLDS[0])
    ] = None
    idempotency_hours: Annotated[
        int, Meta(ge=1, le=168), _about("How long an Idempotency-Key is remembered.")
    ] = 24
    access_token_minutes: Annotated[
        int, Meta(ge=1, le=1_440), _about("Life of an access token.")
    ] = 15
    refresh_token_days: Annotated[
        int, Meta(ge=1, le=365), _about("Life of a session without use.")
    ] = 30
    retention_orders_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        _about("Finished orders lose their buyer after so many days; 0 keeps them."),
    ] = 0
    retention_news_days: Annotated[
        int,
        Meta(ge=30, le=36_500),
        _about("How long a gateway's raw notifications are kept."),
    ] = 400
    retention_mails_days: Annotated[
        int,
        Meta(ge=1, le=36_500),
        _about("How long mails and texts lie in the development outbox."),
    ] = 30
    oidc_providers: Annotated[
        tuple[OidcProvider, ...],
        _about("Sign-in services, a list in JSON; see docs/guide/accounts.md.", "none"),
    ] = ()
    bcrypt_cost: Annotated[
        int, Meta(ge=4, le=16), _about("Cost of password hashing, as a power of two.")
    ] = 12
    body_bytes_max: Annotated[
        int, Meta(ge=1_000, le=100_000_000), _about("Largest request body.")
    ] = 1_000_000
    body_seconds: Annotated[
        int,
        Meta(ge=1, le=600),
        _about(
            "How long a request's body may take to arrive, besides a second for every 4 KB of it."
        ),
    ] = 20
    header_seconds: Annotated[
        int,
        Meta(ge=1, le=600),
        _about("How long a connection may wait for a request's whole head, an idle one too."),
    ] = 30
    response_cache_mb: Annotated[
        int,
        Meta(ge=0, le=100_000),
        _about("Memory of one process for public answers, in megabytes; 0 keeps none."),
    ] = 32
    response_cache_seconds: Annotated[
        int,
        Meta(ge=0, le=60),
        _about("How old an answer over several stores may be; one store's is never old."),
    ] = 1
    moamalat_merchant_id: Annotated[
        str, _about("The platform's Moamalat merchant.", "the published test merchant")
    ] = ""
    moamalat_terminal_id: Annotated[
        str, _about("The merchant's terminal.", "the published test terminal")
    ] = ""
    moamalat_secret_key: Annotated[
        str, _about("The terminal's secure key, in hex.", "the published test key")
    ] = ""
    moamalat_notification_key: Annotated[
        str, _about("The key of notifications, in hex.", "the secure key")
    ] = ""
    moamalat_base_url: Annotated[
        str,
        _about(
            "REST base of the gateway.",
            "the built-in simulator under `eishro dev`, the live gateway in production, else the "
            "vendor's test gateway",
        ),
    ] = ""
    moamalat_lightbox_url: Annotated[
        str,
        _about("Address of `lightbox.js`.", "as for the REST base"),
    ] = ""
    moamalat_stamp_digits: Annotated[
        Literal[14, 17],
        _about("Digits of `DateTimeLocalTrxn` in REST calls: 14 (seconds) or 17 (milliseconds)."),
    ] = 14
    gateway_hosts: Annotated[
        tuple[str, ...],
        _about(
            "Hosts, with commas, that stores' own credentials may name beside the gateways' own "
            "addresses.",
            "none",
        ),
    ] = ()
    usd_rate: Annotated[
        str,
        _about(
            "Dinars for one US dollar, where a method is settled in dollars, such as 4.8500.",
            "an example under `eishro dev`, else methods in dollars are not offered",
        ),
    ] = ""
    usd_rate_source: Annotated[
        str, _about("Where that rate comes from; kept with each payment.")
    ] = "settings"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _about("The least important line shown.")
    ] = "info"
    log_format: Annotated[Literal["console", "json"], _about("For people or for programs.")] = (
        "console"
    )

    # Complete credentials of the other gateways that can be used, by provider.
    gateways: dict[str, dict[str, str]] = {}

    @property
    def order_expiry(self) -> timedelta:
        """`order_expiry_minutes` as a duration."""
        return timedelta(minutes=self.order_expiry_minutes)

    @property
    def commission_bp(self) -> int:
        """`commission` in basis points."""
        return int(self.commission * 100)

    @property
    def payout_delay(self) -> timedelta:
        """`payout_delay_hours` as a duration."""
        return timedelta(hours=self.payout_delay_hours)

    @property
    def suspense_deadline(self) -> timedelta:
        """`suspense_days` as a duration."""
        return timedelta(days=self.suspense_days)

    @property
    def cod_confirmation(self) -> timedelta | None:
        """`cod_confirm_hours` as a duration; None where such orders wait for ever."""
        return timedelta(hours=self.cod_confirm_hours) if self.cod_confirm_hours else None

    @property
    def return_window(self) -> timedelta:
        """`return_days` as a duration."""
        return timedelta(days=self.return_days)

    @property
    def idempotency(self) -> timedelta:
        """`idempotency_hours` as a duration."""
        return timedelta(hours=self.idempotency_hours)

    @property
    def access_token(self) -> timedelta:
        """`access_token_minutes` as a duration."""
        return timedelta(minutes=self.access_token_minutes)

    @property
    def refresh_token(self) -> timedelta:
        """`refresh_token_days` as a duration."""
        return timedelta(days=self.refresh_token_days)

    @property
    def retention_orders(self) -> timedelta | None:
        """`retention_orders_days` as a duration; None for ever."""
        days = self.retention_orders_days
        return timedelta(days=days) if days else None

    @property
    def limits_are_on(self) -> bool:
        """False where a rate limit is off, which switches all that count buyers off as well."""
        rates = (self.rate_limit_authenticated, self.rate_limit_anonymous, self.rate_limit_payments)
        return None not in rates

    @property
    def holds(self) -> tuple[int | None, int | None, int | None]:
        """The most orders and pieces of a phone, and orders of a customer. A rate limit that is off
        switches these off as well.
        """
        if not self.limits_are_on:
            return None, None, None
        is_off = self.env == "development"
        orders = Ceiling(None if is_off else HOLD_ORDERS)
        pieces = Ceiling(None if is_off else HOLD_PIECES)
        return (
            (self.hold_orders_per_phone or orders).most,
            (self.hold_pieces_per_phone or pieces).most,
            (self.hold_orders_per_customer or orders).most,
        )

    @property
    def is_embedded(self) -> bool:
        """True where the database is SQLite."""
        return self.database_url.startswith("sqlite")

    def __repr__(self) -> str:
        return f"Settings(env={self.env!r}, data_dir={str(self.data_dir)!r}, …)"


def load(environ: Mapping[str, str], *, is_dev: bool = False) -> Settings:
    """The settings of this environment, defaults filled in.

    Args:
        environ: the process's environment; only `EISHRO_` variables are looked at.
        is_dev: under `eishro dev` the gateway is the built-in simulator where none is set.

    Raises:
        SettingsError: every unknown, malformed or refused variable.
    """
    fields = {field.name: field for field in setting_fields()}
    gateways: gateway_settings.Given = {}
    faults: dict[str, str] = {}
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(PREFIX + "TEST_"):
            continue
        field = fields.get(variable.removeprefix(PREFIX).lower())
        if found := gateway_settings.find_setting(variable):
            try:
                value = gateway_settings.parse_setting(variable, text)
            except ValueError as error:
                faults[variable] = f"{variable}: {error}"
            else:
                gateways.setdefault(found[0].provider, {})[found[1].name] = value
            continue
        if field is None:
            faults[variable] = f"{variable} is not a setting; see docs/reference/settings.md"
            continue
        try:
            values[field.name] = _parse(field.type, text.strip())
        except ValueError as error:  # msgspec's is one too
            faults[variable] = f"{variable}: {_expected(field.type) or error}"
    settings = Settings(**values, gateways=gateways)
    # A variable that cannot be read has said so; its default is not judged in its place.
    refused = [f for f in _refusals(settings) if re.split(r"\W", f)[0] not in faults]
    if is_dev and settings.env == "production":
        refused.append("EISHRO_ENV: `eishro dev` does not run in production")
    if faults or refused:
        raise SettingsError([*faults.values(), *refused])
    return _filled(settings, is_dev=is_dev)


def setting_fields() -> list[msgspec.structs.FieldInfo]:
    """The fields that are one setting each."""
    return [f for f in msgspec.structs.fields(Settings) if f.name != "gateways"]


def _parse(kind: Any, text: str) -> Any:
    bare = typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind
    if bare is bool:
        if text.lower() not in {"on", "off", "true", "false", "1", "0"}:
            raise ValueError("use on or off")
        return text.lower() in {"on", "true", "1"}
    if bare is Path:
        return Path(text)
    if bare == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    own: dict[Any, Callable[[str], Any]] = {
        tuple[OidcProvider, ...]: parse_providers,
        Rate | None: _parse_rate,
        Decimal: _parse_percent,
        Ceiling | None: _parse_ceiling,
    }
    if bare in own:
        return own[bare](text)
    if bare == (str | None):
        return text or None
    return msgspec.convert(int(text) if _is_number(bare) else text, kind)


def _expected(kind: Any) -> str:
    """What a setting takes, where its type says it all."""
    parts = typing.get_args(kind)  # the type, then what is said about it
    if parts and typing.get_origin(parts[0]) is Literal:
        return "use " + " or ".join(str(word) for word in typing.get_args(parts[0]))
    for meta in parts[1:]:
        if getattr(meta, "ge", None) is not None:
            return f"use a whole number from {meta.ge} to {meta.le}"
    return ""


def _is_number(kind: Any) -> bool:
    return kind is int or all(isinstance(v, int) for v in typing.get_args(kind) or ("",))


def _parse_rate(text: str) -> Rate | None:
    if text.lower() == "off":
        return None
    number, _, period = text.partition("/")
    if not number.isdigit() or int(number) < 1 or period not in _PERIODS:
        raise ValueError("use a number and a period such as 100/hour, or off")
    return Rate(int(number), _PERIODS[period])


def _parse_percent(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", text) or Decimal(text) > 100:
        raise ValueError("use a percentage from 0 to 100 with at most 2 decimals, such as 2.5")
    return Decimal(text)


def _parse_ceiling(text: str) -> Ceiling:
    if text.lower() == "off":
        return Ceiling(None)
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= CEILING_MAX:
        raise ValueError(f"use a whole number from 1 to {CEILING_MAX}, or off")
    return Ceiling(int(text))


def _filled(settings: Settings, *, is_dev: bool) -> Settings:
    """Defaults that depend on other settings."""
    folder = settings.data_dir.absolute()
    changes: dict[str, Any] = {
        "data_dir": folder,
        "public_url": settings.public_url.rstrip("/"),
        "database_url": settings.database_url or f"sqlite:///{folder / 'eishro.db'}",
        "blob_url": settings.blob_url or f"file://{folder / 'files'}",
    }
    if settings.env != "production":
        changes["moamalat_merchant_id"] = settings.moamalat_merchant_id or TEST_MERCHANT_ID
        changes["moamalat_terminal_id"] = settings.moamalat_terminal_id or TEST_TERMINAL_ID
        changes["moamalat_secret_key"] = settings.moamalat_secret_key or TEST_SECRET_KEY
    if not settings.secret_keys and settings.env == "development":
        changes["secret_keys"] = (development_secret(folder),)
    changes["gateways"] = gateway_settings.filled(
        settings.gateways,
        is_production=settings.env == "production",
        simulator_url=f"{changes['public_url']}/sandbox" if is_dev else None,
    )
    if is_dev and not settings.usd_rate:
        changes |= {"usd_rate": EXAMPLE_USD_RATE, "usd_rate_source": "example"}
    if not is_dev:
        gateway = MOAMALAT.live if settings.env == "production" else MOAMALAT.test
        for name in ("base_url", "lightbox_url"):
            changes[f"moamalat_{name}"] = getattr(settings, f"moamalat_{name}") or gateway[name]
    return msgspec.structs.replace(settings, **changes)


def development_secret(data_dir: Path) -> str:
    """The secret of a development installation, made once and kept in the data folder (0600)."""
    path = data_dir / "development-secret"
    if fault := folder_fault(data_dir):
        raise SettingsError([fault])
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        # Whoever creates the file first decides; everybody else reads it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError([f"EISHRO_DATA_DIR: {error}"]) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def folder_fault(folder: Path) -> str | None:
    """Why a data folder cannot be used, or None. Nothing is made."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        return f"EISHRO_DATA_DIR: {there} is not a folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"EISHRO_DATA_DIR: {there} cannot be written to by this user"
    return None


def _refusals(settings: Settings) -> list[str]:
    faults = []
    if any(len(key) < SECRET_LENGTH_MIN for key in settings.secret_keys):
        faults.append(
            f"EISHRO_SECRET_KEYS: each key needs {SECRET_LENGTH_MIN} characters or more: {_RECIPE}"
        )
    for network in settings.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            faults.append(f"EISHRO_TRUSTED_PROXIES: {network} is not a network such as 10.0.0.0/8")
    if not _PUBLIC_URL.fullmatch(settings.public_url):
        faults.append("EISHRO_PUBLIC_URL is not an address such as https://shop.example.ly")
    if settings.sms_url and not _PUBLIC_URL.fullmatch(settings.sms_url.partition("?")[0]):
        faults.append("EISHRO_SMS_URL is not an address such as https://sms.example.ly/send")
    for origin in settings.cors_origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            faults.append(f"EISHRO_CORS_ORIGINS: {origin} is not like https://shop.example.ly")
    faults += refusals_of(settings.oidc_providers, is_development=settings.env == "development")
    faults += _gateway_refusals(settings)
    if settings.env != "development" and not settings.secret_keys:
        faults.append("EISHRO_SECRET_KEYS must be set outside development")
    if settings.env == "production":
        faults += _production_refusals(settings)
    return faults


def _gateway_refusals(settings: Settings) -> list[str]:
    is_production = settings.env == "production"
    faults = gateway_settings.refusals_of(settings.gateways, is_production=is_production)
    if settings.usd_rate and not USD_RATE.fullmatch(settings.usd_rate):
        faults.append("EISHRO_USD_RATE is not a rate such as 4.8500")
    return faults


def _production_refusals(settings: Settings) -> list[str]:
    faults = []
    if any(_is_guessable(key) for key in settings.secret_keys):
        faults.append(f"EISHRO_SECRET_KEYS: a key is easily guessed, make one: {_RECIPE}")
    if not settings.public_url.lower().startswith("https://"):
        faults.append("EISHRO_PUBLIC_URL must begin with https:// in production")
    if settings.sms_url and not settings.sms_url.lower().startswith("https://"):
        faults.append("EISHRO_SMS_URL must begin with https:// in production")
    if "*" in settings.cors_origins:
        faults.append("EISHRO_CORS_ORIGINS must name its origins in production, not *")
    test_keys = {key.lower() for key in TEST_SECRET_KEYS}
    for name in ("moamalat_secret_key", "moamalat_notification_key"):
        if getattr(settings, name).lower() in test_keys:
            faults.append(
                f"{PREFIX}{name.upper()} is a published test key; ask the gateway for one"
            )
    if settings.moamalat_merchant_id == TEST_MERCHANT_ID:
        faults.append("EISHRO_MOAMALAT_MERCHANT_ID is the published test merchant")
    if settings.moamalat_merchant_id and not settings.moamalat_secret_key:
        faults.append("EISHRO_MOAMALAT_SECRET_KEY is missing for the merchant that is set")
    return faults


def _is_guessable(key: str) -> bool:
    """Few different characters, or one block again and again."""
    return len(set(key)) < SECRET_CHARACTERS_MIN or key in (key + key)[1:-1]

"""Puts everything together: settings in, an open shop and its HTTP door out.

The only module that knows every part. `Application` is the ASGI callable that servers run: it
opens the shop when the server starts and closes it when the server stops.
"""

import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from eishro.adapters.cache import open_key_value
from eishro.adapters.documents.typst_press import TypstPress
from eishro.adapters.files import open_files
from eishro.adapters.identity.oidc import Config as OidcConfig
from eishro.adapters.identity.oidc import Oidc
from eishro.adapters.mail import open_mail
from eishro.adapters.payments import GATEWAYS, METHODS
from eishro.adapters.payments.bank_transfer import account_of
from eishro.adapters.payments.journal import MemoryJournal
from eishro.adapters.payments.moamalat import Config as MoamalatConfig
from eishro.adapters.sms import open_sms
from eishro.clock import Clock, SystemClock
from eishro.db import migrate
from eishro.db.id_blocks import IntegerIds
from eishro.db.opening import open_database
from eishro.db.stamps import DatabaseStamps
from eishro.domain.accounts.port import IdentityProvider
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.messages.sms_port import SmsGateway
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentMethod, PaymentProvider
from eishro.domain.payments.rates import UsdRate, rate_of
from eishro.flows.gateway_desk import GatewayDesk
from eishro.flows.gateway_health import Breakers
from eishro.flows.price_list import PriceList
from eishro.flows.shop import HoldLimits, Rules, Shop
from eishro.jobs.background import Background
from eishro.keyring import Keyring
from eishro.outward import Http, WebHttp
from eishro.settings import Settings, SettingsError, load
from eishro.web.api import ROUTES
from eishro.web.asgi import FalconApp, build_app
from eishro.web.response_cache import ResponseCache
from eishro.web.routes import Door, Rate, WebRules

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
# Adds routes to an open shop's application; returns what to await when the server stops.
Decorate = Callable[[FalconApp, Shop], Callable[[], Awaitable[None]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOG = structlog.get_logger("eishro.app")

# Objects, and collections of the younger. Python's own (700, 10, 10) looked through the dozens of
# orders under way again and again; docs/performance.md has what was measured.
COLLECT_AFTER = (5_000, 10, 150)

SIMULATOR_PATH = "/sandbox/moamalat"


@contextlib.asynccontextmanager
async def open_shop(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Shop]:
    """Every port opened as the settings say, closed in reverse order at the end.

    Raises:
        DatabaseBusy: the database does not answer.
        ValueError: a URL of an unknown kind; the message names the variable.
    """
    # Imported here: both are native or sit on sockets, and the edge profile shares this module.
    from eishro.adapters.bcrypt_hasher import BcryptHasher
    from eishro.adapters.http import HttpxHttp

    clock = clock or SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        db = await open_database(settings.database_url)
        stack.push_async_callback(db.aclose)
        kv = open_key_value(settings.kv_url, clock)
        stack.push_async_callback(kv.aclose)
        files = open_files(settings.blob_url)
        stack.push_async_callback(files.aclose)
        mail = open_mail(settings.smtp_url, settings.mail_sender, settings.data_dir)
        stack.push_async_callback(mail.aclose)
        press = TypstPress()
        stack.push_async_callback(press.aclose)
        hasher = BcryptHasher(settings.bcrypt_cost)
        stack.push_async_callback(hasher.aclose)
        http = HttpxHttp()
        stack.push_async_callback(http.aclose)
        sms = sms_of(settings, http)
        stack.push_async_callback(sms.aclose)
        journal = MemoryJournal(clock)
        tools = Tools(
            http, DatabaseStamps(db), clock, settings.public_url, journal, Breakers(kv, clock)
        )
        providers: dict[str, PaymentProvider] = {}
        for gateway, fields in usable_gateways(settings):
            provider = providers[gateway.provider] = gateway.build(
                fields, tools.of(gateway.provider)
            )
            stack.push_async_callback(provider.aclose)
        desk = GatewayDesk(GATEWAYS, tools, is_production=settings.env == "production", keeps=True)
        stack.push_async_callback(desk.aclose)
        yield Shop(
            db=db,
            kv=kv,
            files=files,
            mail=mail,
            press=press,
            clock=clock,
            ids=IntegerIds(db),
            prices=PriceList(db),
            hasher=hasher,
            keyring=Keyring(settings.secret_keys),
            providers=providers,
            methods=methods_of(settings),
            gateways=desk,
            journal=journal,
            rules=rules_of(settings),
            identity_providers=identity_providers(settings, http, clock),
            sms=sms,
        )


def usable_gateways(settings: Settings) -> list[tuple[Gateway, dict[str, str]]]:
    """The gateways that the platform has credentials for, with all their fields."""
    given = settings.gateways
    if settings.moamalat_merchant_id:
        given = {**given, "moamalat": msgspec.to_builtins(moamalat_config(settings))}
    return [(g, _texts(given[g.provider])) for g in GATEWAYS if g.provider in given]


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


def methods_of(settings: Settings) -> tuple[PaymentMethod, ...]:
    """The ways to pay that stores may offer: dollars only where their rate is known."""
    return tuple(method for method in METHODS if method.currency == "LYD" or settings.usd_rate)


def sms_of(settings: Settings, http: Http) -> SmsGateway:
    """The SMS gateway of the settings; in development an outbox takes its place.

    Raises:
        ValueError: the template of what is posted cannot be used.
    """
    outbox = settings.data_dir if settings.env == "development" else None
    return open_sms(settings.sms_url, settings.sms_authorization, settings.sms_body, http, outbox)


def identity_providers(
    settings: Settings, http: WebHttp, clock: Clock
) -> dict[str, IdentityProvider]:
    """The sign-in services of the settings, by name; nothing is asked of them yet."""
    configs = [
        OidcConfig(
            name=one.name,
            issuer=one.issuer,
            client_id=one.client_id,
            client_secret=one.client_secret,
            scopes=one.scopes,
        )
        for one in settings.oidc_providers
    ]
    return {config.name: Oidc(config, http, clock) for config in configs}


def moamalat_config(settings: Settings) -> MoamalatConfig:
    """The platform's Moamalat terminal; `eishro dev` leaves the addresses to the simulator."""
    simulator = settings.public_url + SIMULATOR_PATH
    return MoamalatConfig(
        merchant_id=settings.moamalat_merchant_id,
        terminal_id=settings.moamalat_terminal_id,
        secret_key=settings.moamalat_secret_key,
        notification_key=settings.moamalat_notification_key or settings.moamalat_secret_key,
        base_url=settings.moamalat_base_url or f"{simulator}/cube/paylink.svc/api/",
        lightbox_url=settings.moamalat_lightbox_url or f"{simulator}/js/lightbox.js",
        stamp_digits=settings.moamalat_stamp_digits,
    )


def rules_of(settings: Settings) -> Rules:
    """What settings say about how the shop behaves."""
    return Rules(
        public_url=settings.public_url.rstrip("/"),
        order_expiry=settings.order_expiry,
        cod_confirmation=settings.cod_confirmation,
        cod_late=timedelta(days=settings.cod_late_days),
        idempotency=settings.idempotency,
        access_token=settings.access_token,
        refresh_token=settings.refresh_token,
        store_approval=settings.store_approval,
        commission_bp=settings.commission_bp,
        payout_delay=settings.payout_delay,
        suspense_deadline=settings.suspense_deadline,
        return_window=settings.return_window,
        retention_orders=settings.retention_orders,
        retention_news=timedelta(days=settings.retention_news_days),
        retention_mails=timedelta(days=settings.retention_mails_days),
        usd=_usd_of(settings),
        transfer_expiry=timedelta(hours=settings.transfer_hours),
        transfer_check=timedelta(hours=settings.transfer_check_hours),
        transfer_account=account_of(settings.gateways.get("bank_transfer", {})),
        storefronts=tuple(origin for origin in settings.cors_origins if origin != "*"),
        is_development=settings.env == "development",
        holds=None if settings.holds == (None, None, None) else HoldLimits(*settings.holds),
        risk_by_default=settings.env != "development",
        risk_windows=settings.limits_are_on,
    )


def _usd_of(settings: Settings) -> UsdRate | None:
    return rate_of(settings.usd_rate, settings.usd_rate_source) if settings.usd_rate else None


def web_rules_of(settings: Settings) -> WebRules:
    """What settings say about the HTTP door."""

    def rate(setting: Any) -> Rate | None:
        return None if setting is None else Rate(setting.requests, setting.seconds)

    return WebRules(
        authenticated=rate(settings.rate_limit_authenticated),
        anonymous=rate(settings.rate_limit_anonymous),
        payments=rate(settings.rate_limit_payments),
        body_bytes_max=settings.body_bytes_max,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        is_development=settings.env == "development",
        is_secure=settings.public_url.startswith("https://"),
        response_cache_bytes=settings.response_cache_mb * 1_000_000,
        staleness_seconds=settings.response_cache_seconds,
    )


class Application:
    """The ASGI callable that servers run; `decorate` may add routes before it serves."""

    def __init__(self, settings: Settings, decorate: Decorate | None = None) -> None:
        self._settings = settings
        self._decorate = decorate
        self._stack = contextlib.AsyncExitStack()
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._app = await self._open()
        except Exception as error:  # noqa: BLE001 - the server must hear why it cannot start
            _LOG.critical("cannot_start", error=str(error) or repr(error))
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> Any:
        shop = await self._stack.enter_async_context(open_shop(self._settings))
        await migrate.check(shop.db)
        background = Background(shop)
        background.start()
        self._stack.push_async_callback(background.aclose)
        door = Door(
            shop=shop,
            tokens=AccessTokens(shop.keyring),
            rules=web_rules_of(self._settings),
            clock=shop.clock,
            background=background.add,
        )
        app = build_app(door, ROUTES)
        if self._decorate is not None:
            self._stack.push_async_callback(self._decorate(app, shop))
        # What lives on is old from here on; collections need not look at it again.
        gc.collect()
        gc.freeze()
        # A collection of everything holds all requests for 40 ms, and hardly ever finds anything.
        gc.set_threshold(*COLLECT_AFTER)
        if not door.rules.response_cache_bytes:
            return app
        return ResponseCache(app, door, door.rules.response_cache_bytes)  # type: ignore[arg-type]


def create() -> Application:
    """For servers: the application of this environment's settings."""
    settings = load(os.environ)
    configure_logging(settings)
    return Application(settings)


def create_dev() -> Application:
    """For `eishro dev`: the same, with the sandbox beside it."""
    from eishro.sandbox.door import add_sandbox

    settings = load(os.environ, is_dev=True)
    if settings.env == "production":
        raise SettingsError(["EISHRO_ENV: `eishro dev` does not run in production"])
    configure_logging(settings)

    def decorate(app: FalconApp, shop: Shop) -> Callable[[], Awaitable[None]]:
        return add_sandbox(
            app,
            shop,
            moamalat_config(settings),
            settings.public_url + SIMULATOR_PATH,
            settings.gateways,
        )

    return Application(settings, decorate)


def configure_logging(settings: Settings) -> None:
    """One line an event, for people or for programs."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )

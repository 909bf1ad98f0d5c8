"""Puts everything together: settings in, an open shop and its HTTP door out.

The only module that knows every part. `Application` is the ASGI callable that servers run: it
opens the shop when the server starts and closes it when the server stops.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import falcon.asgi
import structlog

from eishro.adapters.bcrypt_hasher import BcryptHasher
from eishro.adapters.cache import open_key_value
from eishro.adapters.files import open_files
from eishro.adapters.http import HttpxHttp
from eishro.adapters.mail import open_mail
from eishro.adapters.payments import METHODS
from eishro.adapters.payments.moamalat import Config as MoamalatConfig
from eishro.adapters.payments.moamalat import Moamalat
from eishro.clock import Clock, SystemClock
from eishro.db import migrate
from eishro.db.id_blocks import IntegerIds
from eishro.db.opening import open_database
from eishro.db.stamps import DatabaseStamps
from eishro.domain.accounts.tokens import AccessTokens
from eishro.flows.shop import Rules, Shop
from eishro.jobs.schedule import Background
from eishro.keyring import Keyring
from eishro.settings import Settings, load
from eishro.web.api import ROUTES
from eishro.web.asgi import build_app
from eishro.web.routes import Door, Rate, WebRules

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOG = structlog.get_logger("eishro.app")


@contextlib.asynccontextmanager
async def open_shop(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Shop]:
    """Every port opened as the settings say, closed in reverse order at the end.

    Raises:
        DatabaseBusy: the database does not answer.
        ValueError: a URL of an unknown kind; the message names the variable.
    """
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
        hasher = BcryptHasher(settings.bcrypt_cost)
        stack.push_async_callback(hasher.aclose)
        http = HttpxHttp()
        stack.push_async_callback(http.aclose)
        moamalat = Moamalat(moamalat_config(settings), http, DatabaseStamps(db), clock)
        stack.push_async_callback(moamalat.aclose)
        yield Shop(
            db=db,
            kv=kv,
            files=files,
            mail=mail,
            clock=clock,
            ids=IntegerIds(db),
            hasher=hasher,
            keyring=Keyring(settings.secret_keys),
            providers={moamalat.name: moamalat},
            methods=METHODS,
            rules=rules_of(settings),
        )


def rules_of(settings: Settings) -> Rules:
    """What settings say about how the shop behaves."""
    return Rules(
        public_url=settings.public_url.rstrip("/"),
        order_expiry=settings.order_expiry,
        idempotency=settings.idempotency,
        access_token=settings.access_token,
        refresh_token=settings.refresh_token,
        store_approval=settings.store_approval,
    )


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
    )

"""Short commands: migrate, create-admin, rotate-keys, retention, openapi, worker."""

import asyncio
import contextlib
import getpass
import signal
import sys

from eishro.app import configure_logging, open_shop
from eishro.db import audit, migrate
from eishro.db.audit import Actor
from eishro.db.opening import open_database
from eishro.db.statements import Batch
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from eishro.flows import two_factor
from eishro.flows.shop import Shop
from eishro.flows.sign_in import Registration, new_user
from eishro.jobs import retention
from eishro.jobs.background import Background
from eishro.settings import Settings
from eishro.web.api import ROUTES
from eishro.web.openapi import openapi_document
from eishro.web.wire import Email


async def migrate_database(settings: Settings) -> int:
    """Apply missing revisions."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    db = await open_database(settings.database_url)
    try:
        before, after = await migrate.migrate(db)
    finally:
        await db.aclose()
    print(f"database: {before or 'empty'} -> {after}" if before != after else f"database: {after}")
    return 0


async def create_admin(settings: Settings, email: str) -> int:
    """Make a platform admin."""
    password = (
        getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    )
    if len(password) < PASSWORD_LENGTH_MIN:
        print(f"eishro: a password has at least {PASSWORD_LENGTH_MIN} characters", file=sys.stderr)
        return 1
    if len(password) > PASSWORD_LENGTH_MAX:
        print(f"eishro: a password has at most {PASSWORD_LENGTH_MAX} characters", file=sys.stderr)
        return 1
    async with open_shop(settings) as shop:
        await migrate.check(shop.db)
        await add_admin(shop, Email.parse(email).address, password)
    print(f"admin: {email}")
    return 0


async def add_admin(shop: Shop, email: str, password: str) -> None:
    """A platform admin in one batch; `EmailTaken` if the address has an account."""
    at = shop.clock.now()
    registration = Registration(
        email=email,
        password=password,
        first_name="",
        last_name="",
        phone=None,
        role="admin",
        store=None,
    )
    user = await new_user(shop, registration, at)
    actor = Actor(name="command")
    await shop.db.commit(
        Batch(
            accounts.insert_user(user),
            audit.record(actor, "user.registered", user.id, at, role="admin"),
        )
    )


async def rotate_keys(settings: Settings) -> int:
    """Renew what an older key of EISHRO_SECRET_KEYS sealed; 1 if something opens with none."""
    async with open_shop(settings) as shop:
        await migrate.check(shop.db)
        renewed, lost = await two_factor.renew_seals(shop)
    print(f"second factors sealed anew: {renewed}")
    if lost:
        print(f"eishro: {lost} second factors are sealed with a key that is gone", file=sys.stderr)
    return 1 if lost else 0


async def clean_up(settings: Settings, *, is_dry: bool) -> int:
    """Let go of what is older than its setting; beside a running server, too."""
    async with open_shop(settings) as shop:
        await migrate.check(shop.db)
        done = await retention.clean(shop, is_dry=is_dry)
    verb = "would go" if is_dry else "gone"
    kept = " (EISHRO_RETENTION_ORDERS_DAYS is off)" if settings.retention_orders is None else ""
    print(f"buyers of finished orders {verb}: {done.orders}{kept}")
    print(f"raw payment news {verb}: {done.news}")
    print(f"expired codes {verb}: {done.codes}")
    print(f"contents of events that failed for good {verb}: {done.events}")
    print(f"what risk was counted from {verb}: {done.signals}")
    print(f"mails and texts of the outbox {verb}: {done.mails}")
    return 0


def print_openapi() -> None:
    """The document on standard output."""
    print(openapi_document(ROUTES).decode())


async def work(settings: Settings) -> int:
    """Turn the background until told to stop."""
    configure_logging(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        shop = await stack.enter_async_context(open_shop(settings))
        await migrate.check(shop.db)
        background = Background(shop)
        background.start()
        stack.push_async_callback(background.aclose)
        await stop.wait()
    return 0

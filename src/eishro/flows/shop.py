"""The assembled application as flows see it, and the two things every flow is given."""

import asyncio
import functools
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from eishro.clock import Clock
from eishro.db.audit import Actor
from eishro.db.database import Database
from eishro.db.id_blocks import IntegerIds
from eishro.db.keyvalue import KeyValue
from eishro.db.statements import Statement
from eishro.db.unhurried import UnhurriedDatabase
from eishro.domain.accounts.port import Hasher, IdentityProvider
from eishro.domain.files.port import Files
from eishro.domain.invoices.port import Press
from eishro.domain.messages.port import Mail
from eishro.domain.messages.sms_port import NoSms, SmsGateway
from eishro.domain.payments.exchanges import Journal
from eishro.domain.payments.port import PaymentMethod, PaymentProvider
from eishro.domain.payments.rates import UsdRate
from eishro.domain.payments.transfers import Beneficiary
from eishro.errors import Stale
from eishro.flows.gateway_desk import GatewayDesk
from eishro.flows.news_room import NewsRoom
from eishro.flows.price_list import PriceList
from eishro.flows.spare_time import Traffic, Turns
from eishro.keyring import Keyring

TRIES_MAX = 12  # of a flow that finds its reads outdated
PAUSE_SECONDS_MAX = 0.05  # between two tries
SWEEPS_AT_ONCE = 4  # at the database, begun one by one with pauses that grow while it is busy
SWEEP_PAUSE_SECONDS = (0.002, 0.05)

P = ParamSpec("P")
T = TypeVar("T")


class HoldLimits(msgspec.Struct, frozen=True):
    """How much one buyer may hold in unpaid, unconfirmed orders over all stores; None: any."""

    orders_per_phone: int | None = None
    pieces_per_phone: int | None = None
    orders_per_customer: int | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What settings say about how the shop behaves."""

    public_url: str
    order_expiry: timedelta = timedelta(minutes=60)
    cod_confirmation: timedelta | None = timedelta(hours=48)
    cod_late: timedelta = timedelta(days=7)
    idempotency: timedelta = timedelta(hours=24)
    access_token: timedelta = timedelta(minutes=15)
    refresh_token: timedelta = timedelta(days=30)
    return_window: timedelta = timedelta(days=14)
    store_approval: bool = False
    checks_at_once: int = 20
    commission_bp: int = 0
    payout_delay: timedelta = timedelta(hours=24)
    suspense_deadline: timedelta = timedelta(days=7)
    retention_orders: timedelta | None = None
    retention_news: timedelta = timedelta(days=400)
    retention_mails: timedelta = timedelta(days=30)
    holds: HoldLimits | None = None
    risk_by_default: bool = False  # stores without rules of their own have the usual ones
    risk_windows: bool = True
    usd: UsdRate | None = None
    transfer_expiry: timedelta = timedelta(hours=72)
    transfer_check: timedelta = timedelta(hours=48)
    transfer_account: Beneficiary | None = None
    storefronts: tuple[str, ...] = ()  # origins that payers may be led back to
    is_development: bool = False


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Every port, put together by `app.py`."""

    db: Database
    kv: KeyValue
    files: Files
    mail: Mail
    press: Press
    clock: Clock
    ids: IntegerIds
    prices: PriceList
    hasher: Hasher
    keyring: Keyring
    providers: Mapping[str, PaymentProvider]
    methods: tuple[PaymentMethod, ...]
    gateways: GatewayDesk
    journal: Journal
    rules: Rules
    identity_providers: Mapping[str, IdentityProvider] = {}
    sms: SmsGateway = NoSms()
    news_room: NewsRoom = msgspec.field(default_factory=NewsRoom)
    sweep_turns: Turns = msgspec.field(
        default_factory=lambda: Turns(SWEEPS_AT_ONCE, *SWEEP_PAUSE_SECONDS)
    )
    traffic: Traffic = msgspec.field(default_factory=Traffic)

    def at_leisure(self) -> "Shop":
        """The same shop for work that nobody waits for: requests go on between its reads."""
        return msgspec.structs.replace(self, db=UnhurriedDatabase(self.db))


class Once(Protocol):
    """The idempotency key of the request behind a flow.

    `claim(result)` gives the statements that take the key and keep the answer made from
    `result`; they stand first in the flow's batch. Without a key it gives none.
    """

    def claim(self, result: object) -> tuple[Statement, ...]:
        """Statements for the front of the batch."""
        ...


class NotOnce:
    """For callers without an idempotency key: jobs, commands, seeds."""

    def claim(self, result: object) -> tuple[Statement, ...]:
        """Nothing to claim."""
        del result
        return ()


SYSTEM = Actor(name="system")


def again_if_stale(
    flow: Callable[Concatenate[Shop, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Shop, P], Coroutine[Any, Any, T]]:
    """Run the flow again from its read when somebody was faster; give up after `TRIES_MAX`."""

    @functools.wraps(flow)
    async def repeated(shop: Shop, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(TRIES_MAX - 1):
            try:
                return await flow(shop, *args, **kwargs)
            except Stale:
                # Those who met part by waiting unequally long, and longer the more they are: twenty
                # notifications of one payment at once must all come through.
                await asyncio.sleep(random.uniform(0, min(0.001 * 2**attempt, PAUSE_SECONDS_MAX)))
        return await flow(shop, *args, **kwargs)

    return repeated

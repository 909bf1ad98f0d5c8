"""The Worker: requests and cron turns on the shop that its bindings make.

One isolate opens the shop at its first request (nothing may happen while modules are imported:
their memory is kept in a snapshot) and answers many requests with it. `edge/worker/entry.py` is
the class that Cloudflare calls.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import structlog

from eishro.adapters.documents.typst_press import TypstPress
from eishro.adapters.payments import GATEWAYS
from eishro.adapters.payments.journal import MemoryJournal
from eishro.adapters.resting import RestingMail
from eishro.adapters.sms import open_sms
from eishro.app import (
    configure_logging,
    methods_of,
    rules_of,
    usable_gateways,
    web_rules_of,
)
from eishro.clock import SystemClock
from eishro.db import migrate
from eishro.db.stamps import DatabaseStamps
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.payments.gateways import Gateway, Tools
from eishro.domain.payments.port import PaymentProvider
from eishro.edge import asgi, runtime
from eishro.edge.bindings import (
    DATABASE,
    FILES,
    KEY_VALUE,
    EdgeSettings,
    NotReady,
    binding_of,
    read_settings,
)
from eishro.edge.cipher import NodeCipher
from eishro.edge.d1 import D1Database
from eishro.edge.hasher import EdgeHasher
from eishro.edge.http import FetchHttp
from eishro.edge.invocation import Invocation, current, enter, later
from eishro.edge.kv import CloudflareKeyValue
from eishro.edge.mail import ApiMail, NoMail
from eishro.edge.not_here import edge_routes
from eishro.edge.places import PlacedDatabase, PlacedIds, Places
from eishro.edge.r2 import R2Files
from eishro.errors import ShopError
from eishro.flows.gateway_desk import GatewayDesk
from eishro.flows.gateway_health import Breakers
from eishro.flows.price_list import PriceList
from eishro.flows.shop import Shop
from eishro.jobs import schedule
from eishro.keyring import Keyring
from eishro.settings import Settings
from eishro.web.api import ROUTES
from eishro.web.asgi import FalconApp, build_app
from eishro.web.errors import error_body, fault_body, status_of
from eishro.web.routes import Door

_LOG = structlog.get_logger("eishro.edge")

BOOKMARK = "X-D1-Bookmark"
PLACE = "X-Place"
CLUE_BYTES_MAX = 100_000  # a larger body is not looked through for its place
_BOOKMARK_SHAPE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){2}-[0-9a-f]{32}")
# Counted in the isolate alone: a write to D1 for every public GET would cost more than it protects.
LOCAL_COUNTERS = ("rate:general:",)
TIDY_EVERY = timedelta(minutes=10)


class Worker:
    """One isolate's shop and its door."""

    def __init__(self) -> None:
        self._shop: Shop | None = None
        self._app: FalconApp | None = None
        self._places: Places | None = None
        self._clock = SystemClock()

    async def fetch(self, request: Any, env: Any, ctx: Any) -> Any:
        """Answer a Request with a Response."""
        # The platform's SDK wraps both in converters of its own; here everything crosses as JSON.
        request, env = getattr(request, "js_object", request), getattr(env, "_env", env)
        invocation = Invocation(_after(ctx), _bookmark_of(request))
        enter(invocation)
        try:
            app = self._app or await self._open_door(env)
            if self._places is not None:
                invocation.place = await _place_of(self._places, request)
        except ShopError as refusal:
            return self._refusal(refusal)
        except Exception as fault:  # noqa: BLE001 - the platform would answer with a page of its own
            _LOG.exception("cannot_serve", error=str(fault)[:500])
            return self._response(500, fault_body("", "en", self._clock.now()))
        return await asgi.answer(app, request, _Trail(invocation))

    async def scheduled(self, env: Any, ctx: Any) -> None:
        """One turn of the background's steps; Cloudflare's cron calls it each minute."""
        env = getattr(env, "_env", env)
        enter(Invocation(_after(ctx)))
        try:
            shop = self._shop or await self._open_shop(env)
        except ShopError as refusal:
            _LOG.error("cannot_work", error=str(refusal), code=refusal.code)
            return
        for place in self._places.names if self._places is not None else (DATABASE,):
            enter(Invocation(_after(ctx), place=place))
            await self._turn(shop)

    async def _turn(self, shop: Shop) -> None:
        await schedule.run_once(shop)
        now = self._clock.now()
        if now.minute % (TIDY_EVERY.seconds // 60) == 0:
            await schedule.tidy_up(shop)
            if isinstance(shop.kv, CloudflareKeyValue):
                await shop.kv.tidy()

    async def _open_shop(self, env: Any) -> Shop:
        await self._open_door(env)
        if self._shop is None:
            raise NotReady("the shop")
        return self._shop

    async def _open_door(self, env: Any) -> FalconApp:
        settings, edge = read_settings(env)
        configure_logging(settings)
        places = open_places(env, edge)
        shop = open_shop(env, settings, edge, places)
        for name in places.names:
            try:
                await migrate.check(places.database(name))
            except (migrate.NotMigrated, migrate.NewerThanCode) as error:
                raise NotReady(f"binding {name}: {error}") from error
        door = Door(
            shop=shop,
            tokens=AccessTokens(shop.keyring),
            rules=web_rules_of(settings),
            clock=shop.clock,
            background=later,
        )
        self._shop, self._places = shop, places
        self._app = build_app(door, edge_routes(ROUTES))
        return self._app

    def _refusal(self, refusal: ShopError) -> Any:
        status = status_of(refusal)
        if status >= 500:
            _LOG.error("cannot_serve", error=str(refusal), code=refusal.code)
        return self._response(status, error_body(refusal, "en", self._clock.now()))

    def _response(self, status: int, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if status == 503:
            headers["Retry-After"] = "30"
        options = runtime.to_js({"status": status, "headers": headers})
        return runtime.js().Response.new(runtime.bytes_to_js(body), options)


def open_places(env: Any, edge: EdgeSettings) -> Places:
    """The databases that `EDGE_PLACES` names, or the one called DB.

    Raises:
        NotReady: a binding is missing; the error names it.
    """
    names = edge.places or (DATABASE,)
    return Places([D1Database(binding_of(env, name, "prepare"), name) for name in names])


def open_shop(env: Any, settings: Settings, edge: EdgeSettings, places: Places) -> Shop:
    """The shop on the Worker's bindings.

    Raises:
        NotReady: a binding is missing; the error names it.
    """
    clock = SystemClock()
    db = PlacedDatabase(places)
    kv = CloudflareKeyValue(
        binding_of(env, KEY_VALUE, "getWithMetadata"),
        KEY_VALUE,
        places.home,
        clock,
        LOCAL_COUNTERS,
    )
    http = FetchHttp()
    mail = (
        RestingMail(ApiMail(edge.mail_api_url, edge.mail_api_key, settings.mail_sender, http))
        if edge.mail_api_url
        else NoMail()
    )
    # Stamps of a terminal only grow, whichever place asks: they are counted at home.
    journal = MemoryJournal(clock)
    stamps, health = DatabaseStamps(places.home), Breakers(kv, clock)
    tools = Tools(http, stamps, clock, settings.public_url, journal, health)
    providers = InvocationProviders(usable_gateways(settings), tools)
    return Shop(
        db=db,
        kv=kv,
        files=R2Files(binding_of(env, FILES, "createMultipartUpload"), FILES),
        mail=mail,
        press=TypstPress(),
        clock=clock,
        ids=PlacedIds(db, places),
        prices=PriceList(db),
        hasher=EdgeHasher(settings.bcrypt_cost),
        keyring=Keyring(settings.secret_keys, NodeCipher()),
        providers=providers,
        methods=methods_of(settings),
        journal=journal,
        gateways=GatewayDesk(
            GATEWAYS,
            tools,
            is_production=settings.env == "production",
            keeps=False,
            hosts=settings.gateway_hosts,
        ),
        rules=rules_of(settings),
        # No folder takes texts here: without a gateway none are sent.
        sms=open_sms(settings.sms_url, settings.sms_authorization, settings.sms_body, http, None),
    )


class InvocationProviders(Mapping[str, PaymentProvider]):
    """The gateways' adapters, made anew for each invocation.

    Some let questions of many callers wait for one call, and nothing that waits may be shared
    between requests here.
    """

    def __init__(self, gateways: list[tuple[Gateway, dict[str, str]]], tools: Tools) -> None:
        self._gateways = {gateway.provider: (gateway, fields) for gateway, fields in gateways}
        self._tools = tools

    def __getitem__(self, name: str) -> PaymentProvider:
        gateway, fields = self._gateways[name]
        invocation = current()
        if invocation is None:
            return gateway.build(fields, self._tools.of(name))
        found = invocation.providers.get(name)
        if found is None:
            found = invocation.providers[name] = gateway.build(fields, self._tools.of(name))
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._gateways)

    def __len__(self) -> int:
        return len(self._gateways)


class _Trail(Mapping[str, str]):
    """Headers of the answer: the place and its session's bookmark, known when it is ready."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def _all(self) -> dict[str, str]:
        place = self._invocation.place
        session = self._invocation.sessions.get(place or DATABASE)
        bookmark = session.getBookmark() if session is not None else None
        found = {} if place is None else {PLACE: place}
        if bookmark is not None and not runtime.is_nothing(bookmark):
            found[BOOKMARK] = str(bookmark)
        return found

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _bookmark_of(request: Any) -> str | None:
    shown = asgi.header_of(request, BOOKMARK)
    return shown if shown is not None and _BOOKMARK_SHAPE.fullmatch(shown) else None


async def _place_of(places: Places, request: Any) -> str | None:
    """The place of a request; its body is read only where nothing else can tell."""
    path = asgi.path_of(request)
    token = (asgi.header_of(request, "Authorization") or "").partition(" ")[2]
    wish = asgi.header_of(request, PLACE)
    found = await places.find(wish, path, token, "")
    if found is None and len(places.names) > 1 and str(request.method) == "POST":
        length = asgi.header_of(request, "Content-Length") or ""
        if not length.isdecimal() or int(length) >= CLUE_BYTES_MAX:
            return None
        found = await places.find(None, "", None, str(await request.clone().text()))
    return found


def _after(ctx: Any) -> Any:
    """`waitUntil` for Python: work that may go on after the answer; what it raises is logged."""

    def keep(work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(_logged(work))
        # A promise of JavaScript's own: a proxy of the task would have to be kept alive by hand.
        done = runtime.js().Promise.withResolvers()
        ctx.waitUntil(done.promise)
        task.add_done_callback(lambda _: done.resolve())

    return keep


async def _logged(work: Awaitable[object]) -> None:
    try:
        await work
    except ShopError as error:
        _LOG.warning("background_refused", code=error.code)
    except Exception:  # noqa: BLE001 - nobody waits for it; the cron turn tries again
        _LOG.exception("background_fault")

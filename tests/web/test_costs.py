"""What a public route costs: reads, batches, statements and bytes, counted, not timed.

The numbers stand in `docs/reference/costs.md`, which is both the promise and what is checked
here. After a change that is meant: `EISHRO_WRITE_COSTS=1 pytest tests/web/test_costs.py`.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx
import pyotp
import pytest

from eishro.db.database import Database
from eishro.db.statements import Batch, Query
from eishro.domain.accounts.port import Attempt, Person
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Failed
from eishro.flows.change_order import change_status
from eishro.flows.issue_invoice import issue_credit_note
from eishro.flows.parcels import Parcel
from eishro.flows.pay_order import check_payment
from eishro.flows.price_list import PriceList
from eishro.flows.ship_order import ship_order
from eishro.flows.shop import NotOnce
from eishro.web.api import ROUTES
from tests.shops import PASSWORD, TESTER, World, changed

pytestmark = pytest.mark.anyio
T = TypeVar("T")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "costs.md"
BYTES_SLACK = 0.02  # ids and numbers of a run differ by a digit here and there
_ROW = re.compile(r"\| `(\w+ \S+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|")
MERCHANT = "merchant@example.ly"
WORDS = "قميص قطني مريح بأكمام طويلة، خامة ناعمة تناسب الصيف والشتاء. " * 4


class Cost(NamedTuple):
    """Of one answer."""

    reads: int
    batches: int
    statements: int
    bytes: int


class CountingDatabase:
    """The `Database` port, counting what passes."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.engine = db.engine
        self.reads = self.batches = self.statements = 0

    async def one(self, query: Query[T], **values: object) -> T | None:
        self.reads += 1
        return await self._db.one(query, **values)

    async def all(self, query: Query[T], **values: object) -> list[T]:
        self.reads += 1
        return await self._db.all(query, **values)

    async def commit(self, batch: Batch) -> None:
        self.batches += 1
        self.statements += len(batch)
        await self._db.commit(batch)

    async def run_script(self, script: str) -> None:
        await self._db.run_script(script)

    async def aclose(self) -> None:
        await self._db.aclose()


class House:
    """An identity provider that knows one person; what it costs to ask it is not counted here."""

    issuer = "https://house.example.ly"

    async def address(self, attempt: Attempt, return_address: str) -> str:
        del return_address
        return f"{self.issuer}/?state={attempt.state}"

    async def identify(self, code: str, attempt: Attempt, return_address: str) -> Person:
        del code, attempt, return_address
        return Person("1", "aisha@example.ly", is_email_verified=True)


class Till:
    """Sends requests and keeps what each route cost."""

    def __init__(self, world: World) -> None:
        self.db = CountingDatabase(world.db)
        houses = {"house": House()}
        shop = changed(world.shop, db=self.db, prices=PriceList(self.db), identity_providers=houses)
        self.world = World(shop, world.clock, world.provider)
        self.costs: dict[str, Cost] = {}

    async def send(
        self,
        row: str,
        path: str,
        *,
        body: Any = None,
        form: str | None = None,
        expect: int = 200,
        **headers: str,
    ) -> Any:
        """Send it through a door of its own, so that no kept answer comes in between."""
        self.db.reads = self.db.batches = self.db.statements = 0
        client = self.world.client()
        reply: httpx.Response = await client.request(
            row.split()[0], path, json=body, content=form, headers=headers
        )
        assert reply.status_code == expect, (row, reply.text)
        # Taken before what the request left in the background is worked off.
        self.reply = reply
        self.costs[row] = Cost(
            self.db.reads, self.db.batches, self.db.statements, len(reply.content)
        )
        await self.world.settle()
        is_json = "json" in reply.headers["content-type"] and reply.content
        return reply.json().get("data") if is_json else None


async def test_routes_cost_what_is_written_down(world: World) -> None:
    till = Till(world)
    await _walk(till)
    public = {
        f"{route.method} {route.path}"
        for route in ROUTES
        if route.needs.name in ("public", "public:store", "orders:read|party", "orders:write|party")
    }
    assert public == set(till.costs), "every public route is in the walk, and only those"
    if os.environ.get("EISHRO_WRITE_COSTS"):
        PAGE.write_text(_page(till.costs), encoding="utf-8")
    promised = {
        row: Cost(*map(int, numbers))
        for row, *numbers in _ROW.findall(PAGE.read_text(encoding="utf-8"))
    }
    counted = {row: cost._replace(bytes=0) for row, cost in till.costs.items()}
    assert counted == {row: cost._replace(bytes=0) for row, cost in promised.items()}
    for row, cost in till.costs.items():
        assert abs(cost.bytes - promised[row].bytes) <= promised[row].bytes * BYTES_SLACK, row


async def _walk(till: Till) -> None:
    """A merchant opens a store with 20 products of six variants; a guest buys three and pays."""
    merchant = await _accounts(till)
    await _mails(till, merchant)
    await _elsewhere(till)
    products = [await _list_product(till, merchant, number) for number in range(20)]
    await _catalogue(till, products[0]["id"])
    await _buying(till, products[:3])
    await _files(till)


async def _accounts(till: Till) -> dict[str, str]:
    registration = {
        "email": MERCHANT,
        "password": PASSWORD,
        "accountType": "merchant",
        "firstName": "سالم",
        "store": {"name": "متجر الأناقة", "slug": "elegance"},
    }
    path = "/api/auth/register"
    signed = await till.send(f"POST {path}", path, body=registration, expect=201)
    merchant = {"Authorization": f"Bearer {signed['accessToken']}"}
    login = {"email": MERCHANT, "password": PASSWORD}
    signed = await till.send("POST /api/auth/login", "/api/auth/login", body=login)
    for path in ("/api/auth/refresh", "/api/auth/logout"):
        shown = {"refreshToken": signed["refreshToken"]}
        signed = await till.send(f"POST {path}", path, body=shown)
    return merchant


async def _mails(till: Till, merchant: dict[str, str]) -> None:
    """What the links of mails lead to, each followed by somebody for whom it is good."""
    world, password = till.world, {"password": PASSWORD}
    path = "/api/auth/verify-email"
    token = {"token": await world.token(MERCHANT, "verify-email")}
    await till.send("POST /api/auth/resend-verification", "/api/auth/resend-verification",
                    body={"email": MERCHANT})  # fmt: skip
    await till.send(f"POST {path}", path, body=token)
    buyers = [(await world.customer()).user.email for _ in range(2)]
    await till.send("GET /verify-email", await world.link(buyers[0], "verify-email"))

    path = "/api/auth/forgot-password"
    for email in buyers:
        await till.send(f"POST {path}", path, body={"email": email})
    link = await world.link(buyers[0], "reset-password")
    await till.send("GET /reset-password", link)
    form = f"token={link.partition('token=')[2]}&password={PASSWORD}"
    await till.send("POST /reset-password", "/reset-password", form=form)
    token = {"token": await world.token(buyers[1], "reset-password")}
    path = "/api/auth/reset-password"
    await till.send(f"POST {path}", path, body={**token, **password})

    newcomers = ["one@example.ly", "two@example.ly"]
    for email in newcomers:
        await world.client().post(
            "/api/stores/1/staff", json={"email": email, "role": "orders"}, headers=merchant
        )
    link = await world.link(newcomers[0], "invitation")
    await till.send("GET /invitation", link)
    form = f"token={link.partition('token=')[2]}&password={PASSWORD}&firstName=x"
    await till.send("POST /invitation", "/invitation", form=form)
    token = {"token": await world.token(newcomers[1], "invitation")}
    path = "/api/invitations/accept"
    await till.send(f"POST {path}", path, body={**token, **password, "firstName": "x"})


async def _elsewhere(till: Till) -> None:
    """Aisha signs in with her account elsewhere, and once more with a second factor."""
    client, clock = till.world.client(), till.world.clock
    signed = await _come_back(till)
    aisha = {"Authorization": f"Bearer {signed['accessToken']}"}
    made = await client.post("/api/auth/2fa/setup", json={}, headers=aisha)
    codes = pyotp.TOTP(made.json()["data"]["secret"])
    first = {"otp": codes.at(clock.now())}
    enabled = await client.post("/api/auth/2fa/enable", json=first, headers=aisha)
    assert enabled.status_code == 200, enabled.text
    clock.turn(timedelta(seconds=30))
    kept = dict(till.costs)
    await _come_back(till, expect=401)
    till.costs = kept  # what it costs to be asked for the code is not what signing in costs
    ticket = till.reply.json()["error"]["details"]["ticket"]
    path = "/api/auth/oauth/complete"
    code = {"ticket": ticket, "otp": codes.at(clock.now())}
    await till.send(f"POST {path}", path, body=code)


async def _come_back(till: Till, expect: int = 200) -> Any:
    at = "/api/auth/oauth/house"
    await till.send("GET /api/auth/oauth/{provider}", at, expect=302)
    held: dict[str, Any] = {"Cookie": till.reply.headers["set-cookie"].partition(";")[0]}
    state = till.reply.headers["location"].partition("state=")[2]
    row = "GET /api/auth/oauth/{provider}/callback"
    return await till.send(row, f"{at}/callback?code=x&state={state}", expect=expect, **held)


async def _catalogue(till: Till, product_id: int) -> None:
    await till.send("GET /api/stores", "/api/stores")
    await till.send("GET /api/stores/{store_id}", "/api/stores/1")
    await till.send("GET /api/stores/{store_id}/categories", "/api/stores/1/categories")
    await till.send("GET /api/stores/{store_id}/payment-methods", "/api/stores/1/payment-methods")
    await till.send("GET /api/stores/{store_id}/products", "/api/stores/1/products")
    await till.send("GET /api/products", "/api/products")
    await till.send("GET /api/products/search", "/api/products/search?q=قميص")
    await till.send("GET /api/products/{product_id}", f"/api/products/{product_id}")
    await till.send("GET /api/locations/cities", "/api/locations/cities")
    await till.send("GET /api/locations/districts", "/api/locations/districts")
    row = "GET /api/stores/{store_id}/shipping-rates"
    await till.send(row, "/api/stores/1/shipping-rates?city=tripoli&weightGrams=800&cod=true")


async def _buying(till: Till, products: list[Any]) -> None:
    items = [
        {"productId": p["id"], "variantId": p["variants"][1]["id"], "quantity": 2} for p in products
    ]
    order = {
        "items": items,
        "customer": {"name": "فاطمة علي", "phone": "0912345678", "email": "buyer@example.ly"},
        "shipping": {"city": "طرابلس", "area": "حي الأندلس", "address": "شارع الجمهورية 12"},
        "payment": {"method": "moamalat"},
    }
    await till.send("POST /api/stores/{store_id}/quote", "/api/stores/1/quote", body=order)
    placing = "POST /api/stores/{store_id}/orders"
    placed: Any = None
    for number in range(2):  # the second is what is usual: its prices are remembered
        key = {"Idempotency-Key": f"order-{number}"}
        first = placed
        placed = await till.send(placing, "/api/stores/1/orders", body=order, expect=201, **key)
        guest = {"X-Order-Token": placed["accessToken"]}
        at = f"/api/orders/{placed['id']}"
        starting, method = "POST /api/orders/{order_id}/payments", {"method": "moamalat"}
        payment = await till.send(starting, f"{at}/payments", body=method, expect=201, **guest)
        pay = f"/api/payments/{payment['id']}"
        if number == 0:  # this one is paid, the other is cancelled
            found = await payments.get_payment(till.world.db, payment["id"])
            till.world.provider.pay(found.reference, found.amount_dirhams)
            row = "POST /api/payments/{payment_id}/result"
            paid = await till.send(row, f"{pay}/result", body={})
            assert paid["status"] == "paid"
    await till.send("GET /api/orders/{order_id}", at, **guest)
    await till.send("GET /api/orders/{order_id}/trace", f"{at}/trace", **guest)
    basket = {"storeId": 1, "items": order["items"]}
    both = {name: order[name] for name in ("customer", "shipping", "payment")}
    await till.send(
        "POST /api/checkout", "/api/checkout", body={**both, "orders": [basket]}, expect=201
    )
    await till.send("GET /api/payments/{payment_id}", pay)
    await till.send("GET /pay/{payment_id}", f"/pay/{payment['id']}")
    for verb in ("GET", "POST"):
        row = f"{verb} /api/payments/{{payment_id}}/return"
        await till.send(row, f"{pay}/return", expect=303)
    code = "POST /api/payments/{payment_id}/otp"  # of a payment that waits for none
    await till.send(code, f"{pay}/otp", body={"code": "1234"}, expect=409)
    await till.send(f"{code}/resend", f"{pay}/otp/resend", expect=409)
    await till.send("GET /api/moamalat/public", "/api/moamalat/public")
    await till.send("GET /api/banks", "/api/banks")
    await till.send("GET /api/payments/{payment_id}/qr", f"{pay}/qr", expect=404)
    await _show_proof(till, pay)
    signing = {"AmountTrxn": "1", "MerchantReference": "x", "TrxDateTime": "202601151030"}
    row = "POST /api/moamalat/hash"
    await till.send(row, "/api/moamalat/hash", body={**signing, "MID": "1", "TID": "1"}, expect=422)
    news = {"signature": "good", "reference": "unknown", "event": "1"}
    hook = "/api/webhooks/payments/moamalat"
    await _pay_again(till, payment["id"])
    await till.send("POST /api/webhooks/payments/{provider}", hook, body=news)
    await till.send("GET /api/webhooks/payments/{provider}", hook)
    await till.send("PUT /api/orders/{order_id}/cancel", f"{at}/cancel", body={}, **guest)
    shipped = await _ship(till, first["id"])
    guest = {"X-Order-Token": first["accessToken"]}
    row = "GET /api/orders/{order_id}/shipments"
    await till.send(row, f"/api/orders/{first['id']}/shipments", **guest)
    await till.send("GET /api/shipments/{shipment_id}", f"/api/shipments/{shipped}", **guest)
    key = {"Idempotency-Key": "order-9"}
    again = await till.send(placing, "/api/stores/1/orders", body=order, expect=201, **key)
    await _read_papers(till, again)


async def _pay_again(till: Till, payment_id: str) -> None:
    """Before and after a refusal: the page to choose on, and the attempt that is begun there."""
    found = await payments.get_payment(till.world.db, payment_id)
    till.world.provider.answers[found.reference] = Failed("declined")
    await check_payment(till.world.shop, payment_id)
    at, row = f"/pay/{payment_id}/again", "/pay/{payment_id}/again"
    await till.send(f"GET {row}", at)
    await till.send(f"POST {row}", at, body={"method": "moamalat"}, expect=201)


async def _show_proof(till: Till, pay: str) -> None:
    """Of a payment that is no transfer."""
    shown = {"senderName": "فاطمة", "bank": "x", "date": "2026-01-15", "bankReference": "1"}
    form = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in shown.items()
    )
    await till.send(
        "POST /api/payments/{payment_id}/proof",
        f"{pay}/proof",
        form=f"{form}--b--\r\n",
        expect=409,
        **{"Content-Type": "multipart/form-data; boundary=b"},
    )


async def _ship(till: Till, order_id: str) -> str:
    parcel = Parcel(carrier="amyal", tracking_number="AMY-284510")
    made = await ship_order(till.world.shop, order_id, parcel, TESTER, NotOnce())
    return made.shipment.id


async def _read_papers(till: Till, placed: Any) -> None:
    """The invoice as whoever asks first gets it, issued and printed; then everything comes back."""
    guest, at = {"X-Order-Token": placed["accessToken"]}, f"/api/orders/{placed['id']}"
    await change_status(till.world.shop, placed["id"], "confirmed", TESTER)
    await till.send("GET /api/orders/{order_id}/invoice", f"{at}/invoice", **guest)
    await issue_credit_note(till.world.shop, placed["id"], "ref_1", 1_000)
    notes = f"{at}/credit-notes"
    await till.send("GET /api/orders/{order_id}/credit-notes", notes, **guest)
    await till.send("GET /api/orders/{order_id}/credit-notes/{number}", f"{notes}/1", **guest)
    for status in ("processing", "shipped"):
        await change_status(till.world.shop, placed["id"], status, TESTER)
    lines = [{"variantId": item["variantId"], "quantity": 1} for item in placed["items"]]
    row, path = "POST /api/orders/{order_id}/returns", f"{at}/returns"
    await till.send(row, path, body={"lines": lines}, expect=201, **guest)
    await till.send("GET /api/orders/{order_id}/returns", path, **guest)


async def _files(till: Till) -> None:
    """What does not ask the database; a picture weighs what it weighs."""
    await till.send("GET /health/live", "/health/live")
    await till.send("GET /health/ready", "/health/ready")
    await till.send("GET /docs", "/docs")
    await till.send("GET /docs/{name}", "/docs/swagger-ui-bundle.js")
    await till.send("GET /assets/{name}", "/assets/pay.js")
    await till.world.shop.files.put("media/a.webp", b"x" * 10_000, "image/webp")
    await till.send("GET /media/{key:path}", "/media/a.webp")


async def _list_product(till: Till, token: dict[str, str], number: int) -> Any:
    body = {
        "name": f"قميص قطني {10 + number}",
        "nameEn": f"Cotton shirt {10 + number}",
        "price": 25.505,
        "description": WORDS,
        "category": "قمصان",
        "images": [f"/media/demo/shirt-{10 + number}-{side}.webp" for side in ("front", "back")],
        "sizes": ["S", "M", "L"],
        "colors": [{"name": "أحمر", "value": "#b00020"}, {"name": "أزرق", "value": "#1040a0"}],
        "stock": 100,
    }
    client = till.world.client()
    reply = await client.post("/api/stores/1/products", json=body, headers=token)
    assert reply.status_code == 201, reply.text
    return reply.json()["data"]


def _page(costs: dict[str, Cost]) -> str:
    rows = [
        f"| `{row}` | {cost.reads} | {cost.batches} | {cost.statements} | {cost.bytes} |"
        for row, cost in sorted(costs.items(), key=lambda item: item[0].split()[::-1])
    ]
    return "\n".join(
        (
            "# What a request costs",
            "",
            "Reads, guarded batches and the statements in them, and bytes of the answer's body before",
            "compression, for every route open to the public, when it does what it is there for. Counted by",
            "`tests/web/test_costs.py`, which fails when a route begins to cost more (or less) than is",
            "written here. Without the response cache: a kept answer costs one read of the store's version.",
            "The store has 20 products with six variants, two images and 240 letters of description each;",
            "the order has three lines. The picture is made up; of assets and documentation the largest file",
            "that a page asks for stands here.",
            "",
            "| Route | Reads | Batches | Statements | Bytes |",
            "|---|---|---|---|---|",
            *rows,
            "",
        )
    )

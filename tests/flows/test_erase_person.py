"""A person is forgotten: books stay as they are, and nothing that names the person stays."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.schema import METADATA
from eishro.db.statements import Query
from eishro.domain.drafts import sql as drafts
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Status
from eishro.flows.change_order import change_status
from eishro.flows.place_order import Placed, place_order
from eishro.flows.shop import NotOnce
from eishro.flows.sign_in import SignedIn
from eishro.jobs.work_off_events import handle_events
from eishro.text import ERASED
from tests.shops import PASSWORD, TESTER, World, bearer

pytestmark = pytest.mark.anyio

PHONE = "+218912345678"
MARK = "zenobia"
_ERASE = "/api/auth/erase"
_MOVES: tuple[Status, ...] = ("confirmed", "processing", "shipped", "delivered")
_LEDGER = Query(
    sa.select(ledger_entries.c.account, sa.func.sum(ledger_entries.c.dirhams))
    .group_by(ledger_entries.c.account)
    .order_by(ledger_entries.c.account)
    .limit(100),
    lambda account, dirhams: (account, dirhams),
    across_stores=True,
)
# What is kept for a while and then goes by itself: answers to repeat, and events.
_PASSING = {"idempotency_keys", "outbox"}


async def _ordered(
    world: World,
    person: SignedIn | None,
    *,
    moves: tuple[Status, ...] = _MOVES,
    coupon: bool = False,
) -> Placed:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    if coupon:
        await world.coupon(merchant.store.id, per_customer_limit=3)
    command = msgspec.structs.replace(
        world.command(state, method="cod"),
        customer_user_id=person.user.id if person else None,
        customer_name=f"فاطمة {MARK}",
        customer_phone=PHONE,
        customer_email=f"{MARK}@example.ly",
        area=MARK,
        address=f"شارع {MARK}",
        shipping_notes=MARK,
        notes=MARK,
        coupon_code="EID" if coupon else None,
    )
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    for move in moves:
        await change_status(world.shop, placed.order.id, move, TESTER, f"note of {MARK}")
    return placed


async def _whatever_names(world: World, *words: str) -> list[tuple[str, str]]:
    found = []
    for table in METADATA.tables.values():
        if table.name in _PASSING:
            continue
        rows = await world.db.all(_whole(table))
        for row in rows:
            text = msgspec.json.encode(row).decode()
            found += [(table.name, word) for word in words if word in text]
    return found


def _whole(table: sa.Table) -> Query[Any]:
    def row(*values: object) -> tuple[object, ...]:
        return values

    return Query(sa.select(table), row, across_stores=True)


def _words(person: SignedIn) -> Iterator[str]:
    yield from (MARK, PHONE, PHONE.removeprefix("+218"), person.user.email)


async def _erase(world: World, person: SignedIn, status: int = 200) -> Any:
    client = world.client(**bearer(person))
    reply = await client.post(_ERASE, json={"password": PASSWORD})
    assert reply.status_code == status, reply.text
    return reply.json()


async def test_an_account_goes_with_everything_that_names_it(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    await client.put("/api/auth/profile", json={"firstName": MARK, "phone": PHONE})
    body = {"name": MARK, "phone": PHONE, "city": "tripoli", "address": MARK}
    await client.post("/api/auth/addresses", json=body)
    await client.post("/api/auth/phone/start", json={"phone": PHONE})
    code = (await world.texted(PHONE))[-1]
    await client.post("/api/auth/phone/confirm", json={"code": code})
    placed = await _ordered(world, person, coupon=True)
    guest = await _ordered(world, None)  # with the telephone that is proven
    books = await world.db.all(_LEDGER)
    answer = await _erase(world, person)
    assert answer["data"] == {"orders": 2}
    assert await _whatever_names(world, *_words(person)) == []
    assert await world.db.all(_LEDGER) == books
    for each in (placed, guest):
        kept = await orders.get_order(world.db, each.order.id)
        assert (kept.customer_name, kept.address) == (ERASED, ERASED)
        assert kept.total_dirhams == each.order.total_dirhams
        assert kept.city_code == each.order.city_code
        lines = await orders.list_lines(world.db, [each.order.id])
        assert lines == list(each.lines)
    assert (await client.get("/api/auth/profile")).status_code == 401


async def test_who_is_erased_can_register_again_and_inherits_nothing(world: World) -> None:
    person = await world.customer()
    await _ordered(world, person)
    await _erase(world, person)
    login = {"email": person.user.email, "password": PASSWORD}
    assert (await world.client().post("/api/auth/login", json=login)).status_code == 401
    again = {**login, "accountType": "customer"}
    reply = await world.client().post("/api/auth/register", json=again)
    assert reply.status_code == 201
    token = reply.json()["data"]["accessToken"]
    mine = await world.client(Authorization=f"Bearer {token}").get("/api/orders")
    assert mine.json()["data"] == []


async def test_open_orders_are_named_and_nothing_is_erased(world: World) -> None:
    person = await world.customer()
    done = await _ordered(world, person)
    waiting = await _ordered(world, person, moves=("confirmed",))
    refused = await _erase(world, person, status=409)
    assert refused["error"]["code"] == "ORDERS_OPEN"
    named = refused["error"]["details"]["orders"]
    assert named == [{"id": waiting.order.id, "number": waiting.order.number}]
    assert (await orders.get_order(world.db, done.order.id)).customer_phone == PHONE
    client = world.client(**bearer(person))
    assert (await client.get("/api/auth/profile")).status_code == 200


async def test_an_owner_of_a_store_stays(world: World) -> None:
    refused = await _erase(world, await world.merchant(), status=409)
    assert refused["error"]["code"] == "OWNS_STORE"


async def test_the_last_admin_stays(world: World) -> None:
    await _erase(world, await world.admin(), status=409)


async def test_staff_leave_their_stores(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    clerk = await world.join(owner, "orders")
    await _erase(world, clerk)
    listed = await world.client(**bearer(owner)).get(f"/api/stores/{owner.store.id}/staff")
    assert clerk.user.email not in listed.text


async def test_a_wrong_password_erases_nothing(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    reply = await client.post(_ERASE, json={"password": "another password"})
    assert reply.status_code == 401
    assert (await client.get("/api/auth/profile")).status_code == 200


async def test_a_mail_tells_the_old_address(world: World) -> None:
    person = await world.customer()
    await _erase(world, person)
    assert await world.letters(person.user.email) != []


async def test_a_store_takes_a_customer_out_of_its_own_orders(world: World) -> None:
    placed, elsewhere = await _ordered(world, None, coupon=True), await _ordered(world, None)
    owner = bearer(await world.admin())
    path = f"/api/stores/{placed.order.store_id}/customers/0912345678/erase"
    reply = await world.client(**owner).post(path, json={"reason": "asked by phone"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["data"] == {"orders": 1}
    assert (await orders.get_order(world.db, placed.order.id)).customer_phone == ""
    assert (await orders.get_order(world.db, elsewhere.order.id)).customer_phone == PHONE
    again = await world.client(**owner).post(path, json={"reason": "asked again"})
    assert again.status_code == 404
    trail = await world.client(**owner).get(f"/api/stores/{placed.order.store_id}/audit")
    assert {"customer.erased", "order.buyer_erased"} <= {e["action"] for e in trail.json()["data"]}
    assert "912345678" not in trail.text
    listed = await world.client(**owner).get(f"/api/stores/{placed.order.store_id}/customers")
    assert listed.json()["data"] == []


async def test_a_store_keeps_who_waits_for_goods(world: World) -> None:
    placed = await _ordered(world, None, moves=())
    owner = bearer(await world.admin())
    path = f"/api/stores/{placed.order.store_id}/customers/{PHONE}/erase"
    reply = await world.client(**owner).post(path, json={"reason": "x"})
    assert reply.status_code == 409
    assert reply.json()["error"]["details"]["orders"][0]["number"] == placed.order.number
    await handle_events(world.shop)


async def test_a_copy_holds_all_that_is_kept_and_no_secret(world: World) -> None:
    person = await world.customer()
    client = world.client(**bearer(person))
    body = {"name": MARK, "phone": PHONE, "city": "tripoli", "address": MARK}
    await client.post("/api/auth/addresses", json=body)
    placed = [await _ordered(world, person) for _ in range(2)]
    strangers = await _ordered(world, None)
    copy = (await client.get("/api/auth/data-export")).json()["data"]
    assert copy["profile"]["email"] == person.user.email
    assert len(copy["sessions"]) == 1
    assert [one["address"] for one in copy["addresses"]] == [MARK]
    assert {order["id"] for order in copy["orders"]} == {each.order.id for each in placed}
    assert all(order["items"] and order["history"] for order in copy["orders"])
    assert copy["ordersTotal"] == 2
    text = msgspec.json.encode(copy).decode()
    assert strangers.order.id not in text
    assert not [word for word in ("hash", "secret", "token", "action") if word in text.lower()]


async def test_a_reason_that_says_who_it_was_is_refused(world: World) -> None:
    placed = await _ordered(world, None)
    owner = world.client(**bearer(await world.admin()))
    path = f"/api/stores/{placed.order.store_id}/customers/{PHONE}/erase"
    for reason in ("call 091-2345678", "٠٩١٢٣٤٥٦٧٨", f"فاطمة {MARK} asked", f"{MARK}@example.ly"):
        reply = await owner.post(path, json={"reason": reason})
        assert reply.status_code == 422, reason
        assert set(reply.json()["error"]["details"]) == {"reason"}
    assert (await orders.get_order(world.db, placed.order.id)).customer_phone == PHONE
    assert (await owner.post(path, json={"reason": "asked in the shop"})).status_code == 200


async def test_a_store_forgets_who_is_only_in_its_drafts(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    state, other = await world.product(merchant.store.id), await world.merchant()
    assert other.store is not None
    mine = await world.draft(state, customer_phone=PHONE, customer_name=MARK, notes=MARK)
    theirs = await world.draft(
        await world.product(other.store.id), customer_phone=PHONE, customer_name=MARK
    )
    client = world.client(**bearer(merchant))
    path = f"/api/stores/{merchant.store.id}/customers/{PHONE}/erase"
    reply = await client.post(path, json={"reason": "x"})
    assert reply.json()["data"] == {"orders": 0}, reply.text
    left = await drafts.get_draft(world.db, merchant.store.id, mine.id)
    assert (left.status, left.content().items) == ("open", mine.content().items)
    assert MARK not in msgspec.json.encode(left).decode()
    assert left.content().customer_phone is None
    kept = await drafts.get_draft(world.db, other.store.id, theirs.id)
    assert kept.content().customer_phone == PHONE
    assert (await client.post(path, json={"reason": "x"})).status_code == 404

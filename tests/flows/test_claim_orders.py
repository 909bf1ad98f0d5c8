"""Guest orders join the account that proved their telephone or e-mail, and no other."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.audit import audit_records
from eishro.db.statements import Batch, Query, Statement
from eishro.domain.customers import sql as customers
from eishro.domain.customers.model import ProvenPhone
from eishro.domain.orders import sql as orders
from eishro.flows.claim_orders import claim_guest_orders
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce
from eishro.flows.sign_in import Device, Registration, SignedIn, register
from eishro.jobs.work_off_events import handle_events
from tests.shops import PASSWORD, TESTER, World, bearer

pytestmark = pytest.mark.anyio

PHONE = "+218912345678"
_JOINED = Query(
    sa.select(sa.func.count()).where(audit_records.c.action == "order.joined"),
    int,
    across_stores=True,
)


async def _guest_orders(world: World, *, phone: str, email: str | None, times: int) -> list[str]:
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id)
    command = msgspec.structs.replace(
        world.command(state, method="cod"), customer_phone=phone, customer_email=email
    )
    placed = [await place_order(world.shop, command, TESTER, NotOnce()) for _ in range(times)]
    return [one.order.id for one in placed]


async def _registered(world: World, email: str, phone: str | None) -> SignedIn:
    wanted = Registration(
        email=email, password=PASSWORD, first_name="", last_name="", phone=phone,
        role="customer", store=None,
    )  # fmt: skip
    return await register(world.shop, world.tokens, wanted, Device("", ""), NotOnce())


async def _owner_of(world: World, order_id: str) -> int | None:
    return (await orders.get_order(world.db, order_id)).customer_user_id


async def _prove(world: World, person: SignedIn, phone: str = PHONE) -> None:
    client = world.client(**bearer(person))
    assert (await client.post("/api/auth/phone/start", json={"phone": phone})).status_code == 200
    code = (await world.texted(phone))[-1]
    reply = await client.post("/api/auth/phone/confirm", json={"code": code})
    assert reply.status_code == 200, reply.text


async def test_a_phone_in_a_profile_or_an_address_registered_inherits_nothing(
    world: World,
) -> None:
    """Whoever registers a victim's address and telephone has proven neither."""
    (order_id,) = await _guest_orders(world, phone=PHONE, email="victim@example.ly", times=1)
    thief = await _registered(world, "victim@example.ly", PHONE)
    await handle_events(world.shop)
    client = world.client(**bearer(thief))
    reply = await client.post("/api/auth/orders/claim")
    assert reply.json()["data"] == {"joined": 0}
    await client.post("/api/auth/phone/start", json={"phone": PHONE})
    assert (await client.post("/api/auth/orders/claim")).json()["data"] == {"joined": 0}
    assert await _owner_of(world, order_id) is None
    assert (await client.get(f"/api/orders/{order_id}")).status_code == 404
    assert (await client.get("/api/orders")).json()["data"] == []


async def test_orders_join_when_the_phone_is_proven(world: World) -> None:
    mine = await _guest_orders(world, phone=PHONE, email=None, times=2)
    (another,) = await _guest_orders(world, phone="+218921111111", email=None, times=1)
    person = await world.customer()
    await _prove(world, person)
    await handle_events(world.shop)
    for order_id in mine:
        assert await _owner_of(world, order_id) == person.user.id
    assert await _owner_of(world, another) is None
    client = world.client(**bearer(person))
    shown = (await client.get("/api/orders")).json()["data"]
    assert {order["id"] for order in shown} == set(mine)
    assert {each["event"] for each in shown[0]["history"]} == {"order.placed", "order.joined"}
    assert await world.db.one(_JOINED) == 2


async def test_orders_join_when_the_mailbox_is_proven(world: World) -> None:
    (order_id,) = await _guest_orders(world, phone=PHONE, email="me@example.ly", times=1)
    person = await _registered(world, "me@example.ly", None)
    token = await world.token("me@example.ly", "verify-email")
    assert await _owner_of(world, order_id) is None
    await world.client().post("/api/auth/verify-email", json={"token": token})
    await handle_events(world.shop)
    assert await _owner_of(world, order_id) == person.user.id


async def test_a_later_guest_order_is_claimed_by_asking(world: World) -> None:
    person = await world.customer()
    await _prove(world, person)
    await handle_events(world.shop)
    (order_id,) = await _guest_orders(world, phone=PHONE, email=None, times=1)
    client = world.client(**bearer(person))
    assert (await client.post("/api/auth/orders/claim")).json()["data"] == {"joined": 1}
    assert (await client.post("/api/auth/orders/claim")).json()["data"] == {"joined": 0}
    assert await _owner_of(world, order_id) == person.user.id


async def test_an_order_of_an_account_is_nobody_elses_to_claim(world: World) -> None:
    owner, person = await world.customer(), await world.customer()
    merchant = await world.merchant()
    assert merchant.store is not None
    command = msgspec.structs.replace(
        world.command(await world.product(merchant.store.id), method="cod"),
        customer_user_id=owner.user.id,
    )
    placed = await place_order(world.shop, command, TESTER, NotOnce())
    await _prove(world, person, placed.order.customer_phone)
    assert await claim_guest_orders(world.shop, person.user.id) == 0
    assert await _owner_of(world, placed.order.id) == owner.user.id


async def test_more_orders_than_a_batch_takes_join_all(world: World) -> None:
    mine = await _guest_orders(world, phone=PHONE, email=None, times=104)
    person = await world.customer()
    at = world.clock.now()
    await world.db.commit(_batch(customers.prove_phone(ProvenPhone(PHONE, person.user.id, at))))
    assert await claim_guest_orders(world.shop, person.user.id) == 104
    assert await _owner_of(world, mine[-1]) == person.user.id


async def test_claims_at_once_join_each_order_once(world: World) -> None:
    mine = await _guest_orders(world, phone=PHONE, email=None, times=5)
    person = await world.customer()
    at = world.clock.now()
    await world.db.commit(_batch(customers.prove_phone(ProvenPhone(PHONE, person.user.id, at))))
    joined = await asyncio.gather(
        *(claim_guest_orders(world.shop, person.user.id) for _ in range(5))
    )
    assert sum(joined) == len(mine)
    assert await world.db.one(_JOINED) == len(mine)


async def test_a_proof_that_is_lost_meanwhile_joins_nothing(world: World) -> None:
    """Two accounts prove one number at once: the orders are of whoever has it in the end."""
    (order_id,) = await _guest_orders(world, phone=PHONE, email=None, times=1)
    former, later = await world.customer(), await world.customer()
    at = world.clock.now()
    await world.db.commit(_batch(customers.prove_phone(ProvenPhone(PHONE, former.user.id, at))))
    await asyncio.gather(
        world.db.commit(_batch(customers.prove_phone(ProvenPhone(PHONE, later.user.id, at)))),
        claim_guest_orders(world.shop, former.user.id),
    )
    owner = await _owner_of(world, order_id)
    assert owner in (None, former.user.id)
    await claim_guest_orders(world.shop, later.user.id)
    assert await _owner_of(world, order_id) == (owner or later.user.id)


def _batch(*statements: Statement) -> Batch:
    return Batch(*statements)

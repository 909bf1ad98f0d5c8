"""The books over HTTP: what a merchant and the platform's admins see and send."""

import asyncio
from datetime import timedelta

import pytest

from eishro.flows.sign_in import SignedIn
from tests.shops import World, bearer

pytestmark = pytest.mark.anyio

ACCOUNT = {
    "beneficiary": "متجر",
    "bank": "مصرف الجمهورية",
    "iban": "ly83 0020 4800 0020 1001 2036 1",
}


async def _earned(world: World) -> tuple[SignedIn, str]:
    """A merchant who has sold for 35.500, and the path of the store."""
    owner = await world.merchant()
    assert owner.store is not None
    await world.earn(await world.product(owner.store.id), 1, "t1", "t2")
    return owner, f"/api/stores/{owner.store.id}"


async def test_the_ledger_is_read_page_by_page(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    reply = (await client.get(f"{at}/ledger?limit=2")).json()
    assert (len(reply["data"]), reply["pagination"]["total"]) == (2, 3)
    cursor = reply["pagination"]["nextCursor"]
    rest = (await client.get(f"{at}/ledger?limit=2&cursor={cursor}")).json()
    assert "nextCursor" not in rest["pagination"]
    whole = [*reply["data"], *rest["data"]]
    received = "payment.received"
    assert sorted(one["reason"] for one in whole) == ["order.placed", received, received]
    assert all(sum(e["amount"] for e in one["entries"]) == 0 for one in whole)
    (placed,) = (one for one in whole if one["reason"] == "order.placed")
    opened = {e["account"]: e["amount"] for e in placed["entries"]}
    assert opened == {"receivable": 35.5, "sales": -25.5, "delivery": -10}


async def test_balances_say_what_is_owed_and_what_may_be_asked_for(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    assert (await client.put(f"{at}/bank-account", json=ACCOUNT)).status_code == 200
    assert (await client.post(f"{at}/payouts", json={"amount": 5})).status_code == 201
    seen = (await client.get(f"{at}/ledger/balances")).json()["data"]
    assert (seen["owed"], seen["open"], seen["available"]) == (35.5, 5, 30.5)
    assert {"account": "suspense", "amount": -35.5} in seen["balances"]


async def test_a_statement_comes_as_json_and_as_csv(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    seen = (await client.get(f"{at}/ledger/statement?month=2026-01")).json()["data"]
    assert seen["opening"] == []
    assert {"reason": "order.placed", "account": "sales", "amount": -25.5} in seen["movements"]
    assert {"account": "clearing:moamalat", "amount": 71} in seen["closing"]
    reply = await client.get(f"{at}/ledger/statement?month=2026-01&format=csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "2026-01,closing,,clearing:moamalat,71.000" in reply.text.splitlines()
    for month, status in (("2026-02", 422), ("2026-13", 422), ("1", 422), ("2025-12", 200)):
        reply = await client.get(f"{at}/ledger/statement?month={month}")
        assert reply.status_code == status, month


async def test_a_payout_goes_its_way_by_different_people(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    named = (await client.put(f"{at}/bank-account", json=ACCOUNT)).json()["data"]
    assert named["iban"] == "LY83002048000020100120361"
    asked = (await client.post(f"{at}/payouts", json={})).json()["data"]
    assert (asked["amount"], asked["status"]) == (35.5, "requested")
    again = await client.post(f"{at}/payouts", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "PAYOUT_NOT_COVERED")
    path = f"/api/admin/payouts/{asked['id']}"
    early = await world.client().put(f"{path}/approve", headers=bearer(await world.admin()))
    assert early.json()["error"]["code"] == "PAYOUT_TOO_EARLY"
    world.clock.turn(timedelta(hours=24))
    first, second = bearer(await world.admin()), bearer(await world.admin())
    waiting = await world.client().get("/api/admin/payouts?status=requested", headers=first)
    assert [one["id"] for one in waiting.json()["data"]] == [asked["id"]]
    assert (await world.client().put(f"{path}/approve", headers=first)).status_code == 200
    paying = {"reference": "FT1"}
    same = await world.client().put(f"{path}/pay", json=paying, headers=first)
    assert (same.status_code, same.json()["error"]["code"]) == (409, "TWO_PEOPLE_NEEDED")
    paid = await world.client().put(f"{path}/pay", json=paying, headers=second)
    assert paid.json()["data"]["status"] == "paid"


async def test_an_admin_who_acts_for_the_owner_is_still_one_person(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client()
    await client.put(f"{at}/bank-account", json=ACCOUNT, headers=bearer(owner))
    world.clock.turn(timedelta(hours=24))
    admin = await world.admin()
    acting = await client.post(
        f"/api/admin/users/{owner.user.id}/act-as", json={"reason": "a test"}, headers=bearer(admin)
    )
    as_owner = {"Authorization": f"Bearer {acting.json()['data']['accessToken']}"}
    asked = await client.post(f"{at}/payouts", json={}, headers=as_owner)
    assert asked.status_code == 201
    path = f"/api/admin/payouts/{asked.json()['data']['id']}/approve"
    own = await client.put(path, headers=bearer(admin))
    assert own.json()["error"]["code"] == "TWO_PEOPLE_NEEDED"
    # And where the money goes is not theirs to say.
    assert (
        await client.put(f"{at}/bank-account", json=ACCOUNT, headers=as_owner)
    ).status_code == 403


async def test_an_old_login_does_not_change_the_bank_account(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    world.clock.turn(timedelta(minutes=6))
    reply = await client.put(f"{at}/bank-account", json=ACCOUNT)
    assert reply.json()["error"]["code"] == "REAUTHENTICATION_REQUIRED"
    missing = await client.get(f"{at}/bank-account")
    assert missing.json()["error"]["code"] == "BANK_ACCOUNT_MISSING"


@pytest.mark.parametrize("amount", [0, -1, 0.0001, "5", 10**13, True])
async def test_nonsense_amounts_are_refused_by_name(world: World, amount: object) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    await client.put(f"{at}/bank-account", json=ACCOUNT)
    reply = await client.post(f"{at}/payouts", json={"amount": amount})
    assert reply.status_code == 422
    assert list(reply.json()["error"]["details"]) == ["amount"]
    assert (await client.get(f"{at}/payouts")).json()["data"] == []


async def test_a_wrong_iban_is_named(world: World) -> None:
    owner, at = await _earned(world)
    body = {**ACCOUNT, "iban": "LY83002048000020100120362"}
    reply = await world.client().put(f"{at}/bank-account", json=body, headers=bearer(owner))
    assert (reply.status_code, list(reply.json()["error"]["details"])) == (422, ["iban"])


async def test_a_commission_is_a_percentage_with_two_decimals(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    path = f"/api/admin/stores/{owner.store.id}/commission"
    client = world.client(**bearer(await world.admin()))
    for percent in (2.5, 0, 100, 99.99):
        reply = await client.put(path, json={"percent": percent, "reason": "a test"})
        assert reply.json()["data"] == {
            "storeId": owner.store.id, "percent": percent, "isOwn": True,
        }  # fmt: skip
    for wrong in (-1, 100.01, 2.555, "2", True, 1e300):
        reply = await client.put(path, json={"percent": wrong, "reason": "a test"})
        assert reply.status_code == 422, wrong
    back = await client.put(path, json={"percent": None, "reason": "a test"})
    assert back.json()["data"] == {"storeId": owner.store.id, "percent": 0, "isOwn": False}


async def test_stranded_money_is_seen_given_to_somebody_and_placed_once(world: World) -> None:
    owner, at = await _earned(world)
    client = world.client(**bearer(owner))
    (item,) = (await client.get(f"{at}/suspense")).json()["data"]
    assert (item["amount"], item["owner"], item["isOverdue"]) == (35.5, "platform", False)
    path = f"{at}/suspense/{item['id']}"
    mine = await client.put(f"{path}/assign", json={"userId": owner.user.id})
    assert mine.json()["data"]["owner"] == f"user:{owner.user.id}"
    assert owner.store is not None
    order = (await world.order(await world.product(owner.store.id))).order
    body = {"action": "apply", "orderId": order.id}
    replies = await asyncio.gather(*(client.put(f"{path}/resolve", json=body) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {200}
    assert (await client.get(f"{at}/suspense")).json()["data"] == []
    (kept,) = (await client.get(f"{at}/suspense?show=all")).json()["data"]
    assert (kept["status"], kept["resolvedOrderId"]) == ("resolved", order.id)
    seen = await world.client().get("/api/admin/suspense", headers=bearer(await world.admin()))
    assert seen.json()["data"] == []

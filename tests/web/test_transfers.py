"""Bank transfers through the HTTP routes: begun, shown, verified, rejected, expired."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from eishro.cli.doctor_money import find_money_adrift
from eishro.db.statements import Query
from eishro.domain.ledger.sql import ledger_entries
from eishro.domain.orders import sql as orders
from eishro.domain.payments.transfers import is_reference
from eishro.domain.stores.model import TransferAccount
from eishro.jobs.schedule import run_once
from tests.shops import World, bearer
from tests.transferring import IBAN, JPEG, counter, reference_of

pytestmark = pytest.mark.anyio
_AT_PLATFORM = Query(
    sa.select(ledger_entries.c.account)
    .where(ledger_entries.c.account == "clearing:bank_transfer")
    .limit(1),
    str,
    across_stores=True,
)


async def test_a_payer_is_told_where_to_and_how_much(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(price=25_125)
    reply = await desk.client.post(
        f"/api/orders/{order_id}/payments",
        json={"method": "bank_transfer"},
        headers={**desk.owner, "Accept-Language": "en"},
    )
    payment = reply.json()["data"]
    details = payment["action"]["details"]
    assert (payment["status"], payment["amount"]) == ("action_required", 35.125)
    assert payment["action"]["takesProof"]
    assert (details["iban"], details["amount"]) == (IBAN, "35.125")
    assert (details["bank"], details["bankEn"]) == ("مصرف الوحدة", "Wahda Bank")
    assert is_reference(details["reference"].replace("-", ""))
    for fact in ("35.125", "شركة الواحة", "Wahda Bank", IBAN, details["reference"]):
        assert fact in payment["action"]["instructions"]


async def test_an_old_account_number_is_taken_and_flagged(world: World) -> None:
    account = TransferAccount(beneficiary="سالم", bank="مصرف ما", account_number="٠١٢-345")
    payment = await (await counter(world, transfer_account=account)).payment()
    details = payment["action"]["details"]
    assert (details["accountNumber"], details["accountIsUnchecked"]) == ("٠١٢-345", "true")
    assert "iban" not in details


async def test_only_an_owner_changes_where_transfers_go(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    manager = await world.join(owner, "manager")
    path = f"/api/stores/{owner.store.id}"
    account = {"beneficiary": "x", "bank": "y", "iban": IBAN}
    body = {"settings": {"transferAccount": account}}
    assert (await world.client(**bearer(manager)).put(path, json=body)).status_code == 403
    assert (await world.client(**bearer(owner)).put(path, json=body)).status_code == 200
    # Leaving it out takes it away, which is a change of it as well.
    assert (
        await world.client(**bearer(manager)).put(path, json={"settings": {}})
    ).status_code == 403
    assert (await world.client(**bearer(manager)).put(path, json=body)).status_code == 200


async def test_a_store_without_an_account_offers_no_transfer(world: World) -> None:
    desk = await counter(world, transfer_account=None)
    methods = {m["method"] for m in await desk.get("/payment-methods")}
    assert not methods & {"bank_transfer", "lypay_qr"}
    reply = await desk.client.post(
        f"/api/orders/{await desk.order(method='cod')}/payments",
        json={"method": "bank_transfer"},
        headers=desk.owner,
    )
    assert reply.status_code == 422


async def test_settings_take_a_checked_account_and_show_it_again(world: World) -> None:
    desk = await counter(world, transfer_account=None)
    path = f"/api/stores/{desk.store}"

    async def put(account: dict[str, Any] | None) -> Any:
        body = {"settings": {"transferAccount": account}}
        return (await desk.client.put(path, json=body, headers=desk.owner)).json()

    named = {"beneficiary": "سالم", "bank": "Wahda Bank", "iban": "LY83 0020 4800 0020 1001 20361"}
    shown = (await put(named))["data"]["settings"]
    assert (shown["transferAccount"]["bank"], shown["transferAccount"]["iban"]) == ("wb", IBAN)
    again = await desk.client.put(path, json={"settings": shown}, headers=desk.owner)
    assert again.json()["data"]["settings"] == shown
    wrong = await put({**named, "iban": "LY5802500810085121000"})
    assert wrong["error"]["code"] == "VALIDATION_ERROR"
    assert list(wrong["error"]["details"]) == ["settings.transferAccount.iban"]
    none = await put({"beneficiary": "سالم", "bank": "wb"})
    assert list(none["error"]["details"]) == ["settings.transferAccount.iban"]


async def test_the_order_is_held_as_long_as_its_transfer_may_take(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    order = await orders.get_order(world.db, payment["orderId"])
    assert order.expires_at == world.clock.now() + world.shop.rules.transfer_expiry
    world.clock.turn(timedelta(hours=71))
    await run_once(world.shop)
    assert (await desk.read(payment["id"]))["status"] == "action_required"
    world.clock.turn(timedelta(hours=2))
    await run_once(world.shop)
    assert (await desk.read(payment["id"]))["status"] == "expired"
    assert (await desk.read_order(payment["orderId"]))["status"] == "cancelled"


async def test_a_transfer_chosen_late_holds_the_order_longer(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="moamalat")
    world.clock.turn(timedelta(minutes=50))
    await desk.start(order_id)
    order = await orders.get_order(world.db, order_id)
    assert order.expires_at == world.clock.now() + timedelta(hours=72)


async def test_an_order_that_was_confirmed_waits_but_its_payment_ends(world: World) -> None:
    desk = await counter(world)
    order_id = await desk.order(method="cod")
    moved = await desk.client.put(
        f"/api/orders/{order_id}/status", json={"status": "confirmed"}, headers=desk.owner
    )
    assert moved.status_code == 200
    payment = await desk.start(order_id)
    world.clock.turn(timedelta(hours=73))
    await run_once(world.shop)
    assert (await desk.read(payment["id"]))["status"] == "expired"
    assert (await desk.read_order(order_id))["status"] == "confirmed"


async def test_what_a_payer_shows_is_for_the_store_alone(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    shown = await desk.prove(payment["id"])
    assert (shown.status_code, shown.json()["data"]["status"]) == (201, "processing")
    assert "فاطمة" not in shown.text
    (listed,) = await desk.get("/transfers")
    (proof,) = listed["proofs"]
    assert (proof["bank"], proof["bankEn"]) == ("مصرف الجمهورية", "Jumhouria Bank")
    assert (proof["senderName"], proof["bankReference"]) == ("فاطمة علي", "FT26015A")
    image = await desk.client.get(proof["imageUrl"], headers=desk.owner)
    assert (image.headers["Content-Type"], image.headers["Cache-Control"]) == (
        "image/png",
        "private, no-store",
    )
    stranger = bearer(await world.merchant())
    assert (await desk.client.get(proof["imageUrl"], headers=stranger)).status_code in (403, 404)
    assert (await desk.client.get(proof["imageUrl"])).status_code == 401
    other = proof["imageUrl"].replace(f"/stores/{desk.store}/", "/stores/2/")
    assert (await desk.client.get(other, headers=stranger)).status_code == 404


@pytest.mark.parametrize(
    ("image", "fields", "fault"),
    [
        (b"<svg onload=alert(1)>", {}, "file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0", {}, "file"),
        (b"MZ" + b"x" * 100, {}, "file"),
        (None, {"date": "2020-01-01"}, "date"),
        (None, {"date": "tomorrow"}, "date"),
        (None, {"bankReference": "---"}, "bankReference"),
        (None, {"senderName": ""}, "senderName"),
        (None, {"amount": "1"}, "amount"),
    ],
)
async def test_a_proof_that_makes_no_sense_is_refused(
    world: World, image: bytes | None, fields: dict[str, str], fault: str
) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    refused = await desk.prove(payment["id"], image, **fields)
    assert refused.status_code == 422, refused.text
    assert list(refused.json()["error"]["details"]) == [fault]
    assert (await desk.read(payment["id"]))["status"] == "action_required"


async def test_a_proof_needs_no_picture_and_wins_time_once(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    world.clock.turn(timedelta(hours=70))
    first = (await desk.prove(payment["id"], None)).json()["data"]
    until = world.clock.now() + world.shop.rules.transfer_check
    order = await orders.get_order(world.db, payment["orderId"])
    assert order.expires_at == until
    assert first["expiresAt"] == until.isoformat().replace("+00:00", "Z")
    world.clock.turn(timedelta(hours=10))
    second = (await desk.prove(payment["id"], JPEG)).json()["data"]
    assert second["expiresAt"] == first["expiresAt"]
    for _ in range(3):
        assert (await desk.prove(payment["id"], None)).status_code == 201
    assert (await desk.prove(payment["id"], None)).status_code == 409
    (listed,) = await desk.get("/transfers")
    assert len(listed["proofs"]) == 5


async def test_another_payment_waits_until_the_shown_one_is_clear(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    await desk.prove(payment["id"])
    for method in ("moamalat", "cod", "bank_transfer"):
        reply = await desk.client.post(
            f"/api/orders/{payment['orderId']}/payments",
            json={"method": method},
            headers=desk.owner,
        )
        assert (reply.status_code, reply.json()["error"]["code"]) == (409, "PAYMENT_UNCLEAR")
    rejected = await desk.say(payment["id"], "reject", reason="لا يوجد تحويل")
    assert rejected.json()["data"]["status"] == "failed"
    assert (await desk.read(payment["id"]))["failure"] == "لا يوجد تحويل"
    await desk.start(payment["orderId"], "moamalat")


async def test_a_rejected_payer_may_show_a_better_picture(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    await desk.prove(payment["id"])
    await desk.say(payment["id"], "reject", reason="unreadable")
    assert (await desk.prove(payment["id"])).json()["data"]["status"] == "processing"
    verified = await desk.say(payment["id"], "verify", amount=35.5, bankReference="B1")
    assert verified.json()["data"]["status"] == "paid"


async def test_a_verified_transfer_pays_the_order_once(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    said = {"amount": 35.5, "bankReference": "ft ٢٦-01", "date": "2026-01-15", "note": "ok"}
    replies = await asyncio.gather(*(desk.say(payment["id"], "verify", **said) for _ in range(5)))
    assert {reply.status_code for reply in replies} == {200}
    assert (await desk.say(payment["id"], "verify", **said)).json()["data"]["status"] == "paid"
    order = await desk.read_order(payment["orderId"])
    assert (order["status"], order["paymentStatus"]) == ("confirmed", "paid")
    lines = [line["action"] for line in await desk.get("/audit")]
    assert lines.count("payment.verified") == 1
    assert await find_money_adrift(world.db) == []
    # It came to the store's own account: the platform owes nothing for it.
    assert await world.db.one(_AT_PLATFORM) is None


async def test_a_bank_reference_counts_once_for_an_account(world: World) -> None:
    desk, neighbour = await counter(world), await counter(world)
    first, second = await desk.payment(), await desk.payment()
    elsewhere = await neighbour.payment()
    assert (await desk.say(first["id"], "verify", amount=35.5, bankReference="B-1")).is_success
    for whose, payment, amount in (
        (desk, second, 35.5),
        (desk, first, 36),
        (neighbour, elsewhere, 35.5),  # the same account at another store
    ):
        refused = await whose.say(payment["id"], "verify", amount=amount, bankReference="b1")
        assert refused.status_code == 409, refused.text
        assert refused.json()["error"]["code"] == "BANK_REFERENCE_USED"
    assert (await desk.read(second["id"]))["status"] == "action_required"


async def test_two_payments_race_for_one_bank_reference(world: World) -> None:
    desk = await counter(world)
    made = [await desk.payment() for _ in range(4)]
    replies = await asyncio.gather(
        *(desk.say(one["id"], "verify", amount=35.5, bankReference="ONE") for one in made)
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    paid = [one for one in made if (await desk.read(one["id"]))["status"] == "paid"]
    assert len(paid) == 1
    assert await find_money_adrift(world.db) == []


async def test_another_amount_goes_to_suspense(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    reply = await desk.say(payment["id"], "verify", amount=35.499, bankReference="B1")
    assert (reply.json()["data"]["status"], reply.json()["data"]["review"]) == (
        "unknown",
        "amount_differs",
    )
    (item,) = await desk.get("/suspense")
    assert (item["amount"], item["reason"]) == (35.499, "amount_differs")
    (flagged,) = await desk.get("/payments/review")
    assert (flagged["id"], flagged["review"]) == (payment["id"], "amount_differs")
    # The rest is not paid by the same transfer, whatever is said of it.
    same = await desk.say(payment["id"], "verify", amount=35.5, bankReference="B1")
    assert same.status_code == 409
    exact = await desk.say(payment["id"], "verify", amount=35.5, bankReference="B2")
    assert exact.json()["data"]["status"] == "paid"
    assert (await desk.say(payment["id"], "settle", outcome="noted", note="seen")).is_success
    assert await desk.get("/payments/review") == []
    assert await find_money_adrift(world.db) == []


async def test_money_after_the_end_goes_to_suspense(world: World) -> None:
    desk = await counter(world)
    payment = await desk.payment()
    world.clock.turn(timedelta(hours=73))
    await run_once(world.shop)
    late = await desk.prove(payment["id"])
    assert (late.status_code, late.json()["data"]["status"]) == (201, "expired")
    reply = await desk.say(payment["id"], "verify", amount=35.5, bankReference="B1")
    assert reply.json()["data"]["status"] == "paid"
    (item,) = await desk.get("/suspense")
    assert item["reason"] == "order_closed"
    assert (await desk.prove(payment["id"])).status_code == 409


async def test_only_people_with_money_decide(world: World) -> None:
    owner = await world.merchant()
    desk = await counter(world)
    payment = await desk.payment()
    for who in (bearer(owner), bearer(await world.customer()), {}):
        for verb, body in (
            ("verify", {"amount": 35.5, "bankReference": "B1"}),
            ("reject", {"reason": "none came"}),
            ("settle", {"outcome": "failed", "note": "none"}),
        ):
            reply = await desk.client.post(
                f"/api/stores/{desk.store}/payments/{payment['id']}/{verb}", json=body, headers=who
            )
            assert reply.status_code in (401, 403, 404)
    cross = await desk.client.post(
        f"/api/stores/{owner.store.id if owner.store else 0}/payments/{payment['id']}/verify",
        json={"amount": 35.5, "bankReference": "B1"},
        headers=bearer(owner),
    )
    assert cross.status_code == 404


async def test_a_code_to_scan_is_text_and_a_picture(world: World) -> None:
    desk = await counter(world)
    payment = await desk.start(await desk.order(), "lypay_qr")
    reference = reference_of(payment).replace("-", "")
    assert payment["action"]["qr"].startswith("00020101021227")
    assert f"0509{reference}" in payment["action"]["qr"]
    path = payment["action"]["qrUrl"].removeprefix("http://shop.test")
    picture = await desk.client.get(path)
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    transfer = await desk.payment()
    assert (await desk.client.get(f"/api/payments/{transfer['id']}/qr")).status_code == 404
    verified = await desk.say(payment["id"], "verify", amount=35.5, bankReference="L1")
    assert verified.json()["data"]["status"] == "paid"


async def test_an_account_without_iban_or_alias_has_no_code(world: World) -> None:
    account = TransferAccount(beneficiary="سالم", bank="wb", account_number="123")
    desk = await counter(world, transfer_account=account)
    assert "lypay_qr" not in {m["method"] for m in await desk.get("/payment-methods")}


async def test_banks_are_listed_in_both_languages(world: World) -> None:
    reply = await world.client().get("/api/banks")
    banks = {one["id"]: one for one in reply.json()["data"]}
    assert banks["wb"] == {"id": "wb", "name": "مصرف الوحدة", "nameEn": "Wahda Bank"}
    assert len(banks) >= 25

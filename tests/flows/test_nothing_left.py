"""One person in every text that can hold one: all of it is in the copy, none of it is left.

`_HOLDS` and `_HOLDS_NOBODY` together name every column of text, so that a new one is looked at.
"""

import re
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from eishro.db.schema import METADATA
from eishro.db.statements import Batch, Query
from eishro.db.types import Json
from eishro.domain.accounts import identities
from eishro.domain.accounts.identities import Identity
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Failed
from eishro.flows.pay_order import check_payment
from eishro.flows.shop import HoldLimits
from eishro.flows.sign_in import SignedIn
from eishro.jobs.ask_gateways import send_due_refunds
from eishro.jobs.schedule import tidy_up
from eishro.jobs.work_off_events import handle_events
from tests.shops import PASSWORD, World, bearer, changed, order_body

pytestmark = pytest.mark.anyio

PHONE = "+218918273645"
OTHER_PHONE = "+218928273645"
_WORDS = re.compile(r"zenobia[a-z]+|9[12]8273645|customer[0-9]+@example\.ly")
_LEFT = timedelta(days=8)  # after which events and stored answers have served their time

# Filled by `_live`, by table.
_HOLDS = {
    "addresses": "label name phone area landmark address notes",
    "cod_cases": "note",
    "draft_orders": "body note customer_phone",
    "idempotency_keys": "body",
    "identities": "subject email",
    "invitations": "email",
    "invoices": "content",
    "order_history": "note",
    "order_notes": "text",
    "order_promotions": "subjects",
    "orders": "customer_name customer_phone customer_email area address shipping_notes notes",
    "outbox": "payload",
    "payment_news": "raw",
    "payment_receipts": "details",
    "payments": "failure return_url",
    "phone_codes": "phone",
    "promotion_uses": "subject",
    "proven_phones": "phone",
    "refunds": "reason failure note",
    "return_lines": "reason",
    "returns": "reason decision",
    "sessions": "user_agent",
    "shipment_events": "note",
    "shipments": "note",
    "users": "email first_name last_name phone",
}
# Why a text holds no buyer, and which ones.
_HOLDS_NOBODY = {
    "names of states, kinds and ways, and codes that the shop makes": """
        api_keys.scopes cod_cases.carrier cod_cases.kind cod_cases.stage cod_cases.state
        cod_cases.resolution cod_collections.carrier cod_collections.state
        cod_remittance_rows.outcome cod_remittance_rows.paid_on cod_remittances.carrier
        cod_remittances.counts cod_remittances.file_hash draft_orders.status identities.provider
        idempotency_keys.fingerprint idempotency_keys.scope invitations.role invoice_counters.kind
        invoices.kind ledger_balances.account ledger_entries.account ledger_entries.reason
        memberships.role order_history.event order_history.status orders.fulfilment_status
        orders.number orders.payment_method orders.payment_status orders.shipping_method
        orders.status outbox.topic payment_news.body_hash payment_news.kind payment_news.outcome
        payment_news.provider payments.rate_source payment_receipts.currency payment_receipts.provider
        payment_receipts.reason payments.currency payments.method payments.provider payments.review
        payments.status payouts.status promotions.kind refunds.kind refunds.lines refunds.provider
        refunds.status refunds.through return_lines.outcome returns.replacement returns.status
        shipment_events.raw_status shipment_events.status shipments.carrier shipments.service
        shipments.status stock_movements.kind stores.standing suspense_items.currency
        suspense_items.provider suspense_items.reason suspense_items.resolution
        suspense_items.status users.role audit_records.action audit_seals.hash
        id_blocks.name leases.holder leases.name stamps.name buyer_guards.subject""",
    "the city is kept for statistics of delivery, and names no door": "addresses.city_code orders.city_code",
    "numbers of people and machines": """
        audit_records.actor audit_records.request_id audit_records.subject_id
        cod_cases.resolved_by cod_remittances.created_by draft_orders.created_by
        order_history.actor order_notes.author outbox.subject_id refunds.completed_by
        refunds.requested_by shipment_events.source suspense_items.resolved_by""",
    "the security log: network addresses of requests, kept as long as the trail": "audit_records.address",
    "members that changed, by name; reasons of the platform and of stores": "audit_records.changes",
    "references of gateways and couriers, which the books are matched by": """
        cod_remittance_rows.tracking_number payment_news.dedupe_key payment_news.reference
        payment_receipts.provider_reference payment_receipts.terminal payments.reference
        payouts.reference refunds.provider_reference refunds.receipt_reference refunds.terminal
        shipments.tracking_number suspense_items.provider_reference suspense_items.terminal""",
    "what the page is to do: a masked phone at most, emptied with the order": "payments.action",
    "what a signed notification proves by itself, emptied with its raw text": "payment_news.proof",
    "sealed, for the adapter alone, emptied with the order": "payments.session",
    "secrets and their hashes, deleted with the account": """
        api_keys.secret_hash phone_codes.code_hash recovery_codes.code_hash
        second_factors.secret_sealed sessions.previous_hash sessions.refresh_hash
        sessions.successor_sealed users.password_hash""",
    "chosen by the client's program, gone with the stored answer": "idempotency_keys.key",
    "the network address of a device, deleted with the account": "sessions.address",
    "what went wrong, emptied after a month": "outbox.last_error",
    "what was said to gateways: masked, and deleted with the buyer": """
        gateway_exchanges.call gateway_exchanges.error gateway_exchanges.provider
        gateway_exchanges.reply gateway_exchanges.request""",
    "what a buyer showed of a transfer, deleted whole with the buyer": """
        payment_proofs.bank payment_proofs.bank_reference payment_proofs.file_key
        payment_proofs.file_type payment_proofs.sender_name payment_proofs.sent_on""",
    "who is counted, as a keyed hash, deleted with the buyer": "risk_events.subject",
    "why an order was looked at: numbers, and what people wrote, which goes with the buyer": """
        order_reviews.decided_by order_reviews.findings order_reviews.reason order_reviews.state""",
    "the bank's own statement, a record of the books like the ledger": """
        bank_statements.counts bank_statements.created_by bank_statements.file_hash
        bank_statements.file_name bank_statements.rows""",
    "a gateway's list beside the books: references and amounts": """
        reconciliations.day reconciliations.provider reconciliations.report
        reconciliations.terminal""",
    "a courier as the store writes it": "shipments.carrier_name",
    "the store's own account at a gateway": """
        gateway_credentials.created_by gateway_credentials.mode gateway_credentials.provider
        gateway_credentials.sealed stores.own_gateways""",
    "goods, calculations and the store's own words": """
        api_keys.name categories.name categories.name_en categories.slug
        cod_remittances.file_name order_lines.name order_lines.options order_lines.sku
        order_traces.trace orders.coupon_code payout_accounts.bank payout_accounts.beneficiary
        payout_accounts.iban payouts.bank payouts.beneficiary payouts.iban payouts.reason
        product_cards.body product_search.body products.colors products.description
        products.description_en products.images products.name products.name_en products.sizes
        products.status promotions.code promotions.code_key promotions.name promotions.scope
        return_lines.name shipping_zones.name shipping_zones.name_en shipping_zones.places
        shipping_zones.rates stores.description stores.logo stores.name stores.name_en
        stores.risk_rules stores.settings stores.slug stores.standing_reason variants.options variants.sku""",
}
_LAWFUL = {"invoices.content"}  # documents of the books: issued once, never changed
_PASSING = {
    "idempotency_keys.body": "answers to repeat, for a day",
    "outbox.payload": "events, for a week: the mail to the old address is sent by one",
}
_NOT_COPIED = {
    **_PASSING,
    "phone_codes.phone": "a code on its way, for ten minutes",
    "order_promotions.subjects": "by which telephone a use was counted: the order's",
    "promotion_uses.subject": "the same",
}


class Till:
    """Requests of somebody that have to come off."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.key = 0

    async def send(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        self.key += 1
        headers = {"Idempotency-Key": f"till-{self.key}"} if method == "POST" else {}
        reply = await self.client.request(method, path, json=body, headers=headers)
        assert reply.status_code == status, (path, reply.text)
        return reply.json().get("data")


def _columns(text: str, table: str | None = None) -> set[str]:
    return {name if table is None else f"{table}.{name}" for name in text.split()}


def _all_text() -> set[str]:
    """Every column of text but ids of things."""
    return {
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.c
        if isinstance(column.type, sa.Text | Json) and not column.name.endswith("_id")
        and column.name != "id"
    }  # fmt: skip


def _holding() -> set[str]:
    return set().union(*(_columns(names, table) for table, names in _HOLDS.items()))


def test_every_text_is_one_that_holds_a_person_or_one_that_does_not() -> None:
    nobody = set().union(*(_columns(text) for text in _HOLDS_NOBODY.values()))
    subjects = {"audit_records.request_id", "audit_records.subject_id", "outbox.subject_id"}
    assert _holding() & nobody == set()
    assert _all_text() | subjects == _holding() | nobody


async def _found(world: World) -> dict[str, set[str]]:
    """Which columns of the whole database name the person, and by what."""
    found: dict[str, set[str]] = {}
    for table in METADATA.tables.values():

        def row(*values: object) -> tuple[object, ...]:
            return values

        for values in await world.db.all(Query(sa.select(table), row, across_stores=True)):
            for column, value in zip(table.c, values, strict=True):
                if isinstance(value, int):
                    continue
                text = bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)
                if words := set(_WORDS.findall(text)):
                    found.setdefault(f"{table.name}.{column.name}", set()).update(words)
    return found


async def test_whoever_is_erased_is_in_no_column(world: World) -> None:
    person, buyer = await _live(world)
    await buyer.send("POST", "/api/auth/orders/claim")
    before = await _found(world)
    assert set(before) == _holding()
    copy = (await buyer.client.get("/api/auth/data-export")).text
    missing = {
        name: words - set(_WORDS.findall(copy))
        for name, words in before.items()
        if name not in _NOT_COPIED
    }
    assert {name: words for name, words in missing.items() if words} == {}
    await buyer.send("POST", "/api/auth/erase", {"password": PASSWORD})
    left = set(await _found(world))
    assert _LAWFUL <= left <= _LAWFUL | set(_PASSING)
    assert await world.letters(person.user.email) == [""]  # the one that says it is done
    assert await world.texted(PHONE) == []
    world.clock.turn(_LEFT)
    await tidy_up(world.shop)
    assert set(await _found(world)) == _LAWFUL


async def _live(world: World) -> tuple[SignedIn, Till]:
    """Somebody who has done everything."""
    limits = HoldLimits(orders_per_phone=50, pieces_per_phone=500, orders_per_customer=50)
    rules = msgspec.structs.replace(world.shop.rules, holds=limits)
    world.shop = changed(world.shop, rules=rules)
    person = await world.customer()
    owner = await world.merchant(return_url="https://shop.example.ly/")
    assert owner.store is not None
    store = owner.store.id
    state = await world.product(store, stock=50)
    await world.coupon(store, per_customer_limit=9)
    buyer, shop = Till(world.client(**bearer(person))), Till(world.client(**bearer(owner)))
    await _fill_account(world, person, buyer, shop, store)
    basket = {**_basket(state.product.id), "couponCode": "EID"}
    made = await buyer.send("POST", f"/api/stores/{store}/orders", basket, 201)
    await _pay(world, buyer, shop, f"/api/orders/{made['id']}")
    cash = _basket(state.product.id, "cod")
    made = await buyer.send("POST", f"/api/stores/{store}/orders", cash, 201)
    await _bring_cash(shop, store, f"/api/orders/{made['id']}")
    await _draft(shop, store, cash)
    await world.settle()
    await handle_events(world.shop)
    return person, buyer


async def _fill_account(
    world: World, person: SignedIn, buyer: Till, shop: Till, store: int
) -> None:
    profile = {"firstName": "zenobiafirst", "lastName": "zenobialast", "phone": PHONE}
    await buyer.send("PUT", "/api/auth/profile", profile)
    address = {
        "name": "zenobiareceiver", "phone": PHONE, "city": "tripoli", "address": "zenobiastreet",
        "label": "zenobialabel", "area": "zenobiaquarter", "landmark": "zenobiamosque", "notes": "zenobiabell",
    }  # fmt: skip
    await buyer.send("POST", "/api/auth/addresses", address, 201)
    await buyer.send("POST", "/api/auth/phone/start", {"phone": PHONE})
    (code,) = await world.texted(PHONE)
    await buyer.send("POST", "/api/auth/phone/confirm", {"code": code})
    await buyer.send("POST", "/api/auth/phone/start", {"phone": OTHER_PHONE})
    login = {"email": person.user.email, "password": PASSWORD}
    device = world.client(**{"User-Agent": "zenobiabrowser"})
    assert (await device.post("/api/auth/login", json=login)).status_code == 200
    linked = Identity(
        "elsewhere", "zenobiasubject", person.user.id, person.user.email, world.clock.now()
    )
    await world.db.commit(Batch(identities.insert_identity(linked)))
    asked = {"email": person.user.email}
    await buyer.send("POST", "/api/auth/resend-verification", asked)
    invitation = {"email": person.user.email, "role": "viewer"}
    await shop.send("POST", f"/api/stores/{store}/staff", invitation, 201)


def _basket(product: int, method: str = "moamalat") -> dict[str, Any]:
    return {
        **order_body(product, 2, method=method),
        "customer": {"name": "zenobiabuyer", "phone": PHONE, "email": "zenobiamail@example.ly"},
        "shipping": {
            "city": "tripoli",
            "address": "zenobiahouse",
            "area": "zenobiaarea",
            "notes": "zenobiadoor",
        },
        "notes": "zenobiagift",
    }


async def _pay(world: World, buyer: Till, shop: Till, order: str) -> None:
    """Refused once, then paid; sent, partly given back in three ways, and partly returned."""
    wanted = {"method": "moamalat", "returnUrl": "https://shop.example.ly/?of=zenobiareturn"}
    refused = await buyer.send("POST", f"{order}/payments", wanted, 201)
    attempt = await payments.get_payment(world.db, refused["id"])
    world.provider.answers[attempt.reference] = Failed("zenobiarefused by the bank")
    await check_payment(world.shop, attempt.id)
    made = await buyer.send("POST", f"{order}/payments", wanted, 201)
    attempt = await payments.get_payment(world.db, made["id"])
    world.provider.pay(attempt.reference, attempt.amount_dirhams, payer="zenobiapayer")
    news = {
        "signature": "good",
        "reference": attempt.reference,
        "event": "e1",
        "by": "zenobiasender",
    }
    told = await world.client().post("/api/webhooks/payments/moamalat", json=news)
    assert told.status_code == 200
    await world.settle()
    await handle_events(world.shop)  # the invoice
    await shop.send("POST", f"{order}/notes", {"text": "zenobianote"}, 201)
    await shop.send("PUT", f"{order}/status", {"status": "processing", "note": "zenobiawhy"})
    await shop.send("PUT", f"{order}/status", {"status": "shipped"})
    await shop.send("PUT", f"{order}/status", {"status": "delivered"})
    world.provider.refunds.mood = "refuse"
    world.provider.refunds.words = "zenobiano"
    await shop.send("POST", f"{order}/refunds", {"reason": "zenobiafault", "amount": 1}, 201)
    await world.settle()
    await send_due_refunds(world.shop)
    world.provider.refunds.mood = "manual"
    given = await shop.send("POST", f"{order}/refunds", {"reason": "zenobialate", "amount": 1}, 201)
    await world.settle()
    await send_due_refunds(world.shop)
    done = {"note": "zenobiahanded over"}
    await shop.send("POST", f"{order}/refunds/{given['id']}/complete", done)
    line = (await shop.send("GET", order))["items"][0]
    asked = {
        "lines": [{"variantId": line["variantId"], "quantity": 1, "reason": "zenobiasize"}],
        "reason": "zenobiaunloved",
    }
    made = await buyer.send("POST", f"{order}/returns", asked, 201)
    await shop.send("PUT", f"/api/returns/{made['id']}/reject", {"note": "zenobiaworn"})


async def _bring_cash(shop: Till, store: int, order: str) -> None:
    """Sent by a courier who brings less."""
    await shop.send("PUT", f"{order}/status", {"status": "confirmed"})
    parcel = {"carrier": "amyal", "trackingNumber": "AMY-1", "note": "zenobiaparcel"}
    made = await shop.send("POST", f"{order}/shipments", parcel, 201)
    path = f"/api/shipments/{made['id']}"
    await shop.send("PUT", path, {"status": "delivered", "note": "zenobianeighbour took it"})
    await shop.send("PUT", path, {"note": "zenobiaparcel again"})
    case = (await shop.send("POST", f"{order}/cod/collect", {"amount": 5}))["case"]["id"]
    decided = {"resolution": "accept", "note": "zenobiashort"}
    await shop.send("POST", f"/api/stores/{store}/cod/cases/{case}/resolve", decided)


async def _draft(shop: Till, store: int, basket: dict[str, Any]) -> None:
    """One that becomes an order, which is cancelled; one that waits; one that was deleted."""
    at = f"/api/stores/{store}/drafts"
    for kind in ("zenobiaplaced", "zenobiawaiting", "zenobiadeleted"):
        made = await shop.send("POST", at, {**basket, "note": kind}, 201)
        if kind == "zenobiaplaced":
            placed = await shop.send("POST", f"{at}/{made['id']}/place", None, 201)
            cancelled = {"reason": "zenobiachanged mind"}
            await shop.send("PUT", f"/api/orders/{placed['id']}/cancel", cancelled)
        elif kind == "zenobiadeleted":
            await shop.send("DELETE", f"{at}/{made['id']}")

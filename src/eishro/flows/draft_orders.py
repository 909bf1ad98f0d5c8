"""Drafts: orders that the store's people prepare by hand, and place when they are complete.

A draft guards nothing and holds nothing; what it would cost is computed at each look. Placing it is
placing an order (flows/place_order.py), in one batch with the draft's own end, which is guarded by
its version: it becomes one order, whoever tries how often.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from eishro.db import audit
from eishro.db.audit import Actor
from eishro.db.statements import Batch
from eishro.domain.drafts import sql as drafts
from eishro.domain.drafts.model import Content, Draft
from eishro.domain.orders.model import Basket, Order, Wanted
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import AmountNotCarried, MethodNotOffered, Payment
from eishro.domain.stores import sql as stores
from eishro.errors import Invalid, ShopError, Words
from eishro.flows.place_order import Placed, carries, methods_of, prepare_order, price_basket
from eishro.flows.price_order import PlaceOrder
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.flows.start_payment import new_attempt
from eishro.ids import text_id

CHANNEL = "manual"
_EMPTY = msgspec.Raw(b"{}")
_NEEDED = Words("is needed to place the order", "مطلوب لتسجيل الطلب")


class Problem(msgspec.Struct, frozen=True):
    """Why a draft cannot be placed yet: the member, if it is one, and what is wrong."""

    field: str | None
    code: str
    words: Words


class Outlook(msgspec.Struct, frozen=True):
    """What a draft would cost now, and what is in its way."""

    basket: Basket | None
    problems: tuple[Problem, ...]


class PlacedDraft(msgspec.Struct, frozen=True):
    """The order a draft became, and how its buyer can pay it, where that is online."""

    placed: Placed
    payment: Payment | None


async def look(shop: Shop, draft: Draft) -> Outlook:
    """What the draft would cost now, as far as that can be said."""
    content = draft.content()
    problems = [Problem(name, Invalid.code, _NEEDED) for name in content.missing]
    basket = None
    if content.items and content.city_code:
        try:
            basket = await price_basket(shop, _command(draft, content))
            await _check_method(shop, draft.store_id, content, basket)
        except Invalid as error:
            problems += [Problem(name, error.code, words) for name, words in error.faults.items()]
        except ShopError as error:
            problems.append(Problem(None, error.code, error.words))
    return Outlook(basket, tuple(problems))


@again_if_stale
async def create_draft(
    shop: Shop,
    store_id: int,
    members: Mapping[str, Any],
    note: str | None,
    actor: Actor,
    once: Once,
) -> Draft:
    """A new draft of these members of `Content`.

    Raises:
        idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    draft = Draft(
        id=text_id("drf", at),
        store_id=store_id,
        status="open",
        body=_EMPTY,
        note=note,
        created_by=actor.name,
        order_id=None,
        created_at=at,
        updated_at=at,
        version=1,
    ).with_content(Content(**members))
    await shop.db.commit(
        Batch(
            *once.claim(draft),
            drafts.insert_draft(draft),
            audit.record(actor, "draft.created", draft.id, at, store_id=store_id),
        )
    )
    return draft


@again_if_stale
async def change_draft(
    shop: Shop,
    store_id: int,
    draft_id: str,
    members: Mapping[str, Any],
    note: Any,
    actor: Actor,
) -> Draft:
    """Other members of `Content`; the rest stays, the note too where it is unset.

    Raises:
        DraftNotFound, DraftClosed.
    """

    def change(seen: Draft) -> Draft:
        said = seen.note if note is UNSET else note
        content = msgspec.structs.replace(seen.content(), **members)
        return msgspec.structs.replace(seen.with_content(content), note=said)

    return await _save(shop, store_id, draft_id, change, actor, "draft.changed")


@again_if_stale
async def delete_draft(shop: Shop, store_id: int, draft_id: str, actor: Actor) -> Draft:
    """Nobody needs the draft any more.

    Raises:
        DraftNotFound, DraftClosed.
    """

    def delete(seen: Draft) -> Draft:
        return msgspec.structs.replace(seen, status="deleted")

    return await _save(shop, store_id, draft_id, delete, actor, "draft.deleted")


@again_if_stale
async def place_draft(
    shop: Shop, store_id: int, draft_id: str, actor: Actor, once: Once
) -> PlacedDraft:
    """Make the draft an order, and begin its payment where the method is online.

    Raises:
        DraftNotFound, DraftClosed, Invalid, OutOfStock, CouponUnusable, StoreNotFound,
        ProviderBusy, idempotency.AlreadyClaimed.
    """
    at = shop.clock.now()
    draft = await drafts.get_draft(shop.db, store_id, draft_id)
    draft.check_open()
    content = draft.content()
    if content.missing:
        raise Invalid(dict.fromkeys(content.missing, _NEEDED))
    placed, statements = await prepare_order(shop, _command(draft, content), actor, at)
    payment = await _attempt(shop, placed.order)
    after = msgspec.structs.replace(draft, status="placed", order_id=placed.order.id, updated_at=at)
    result = PlacedDraft(placed, payment)
    batch = Batch(*once.claim(result)).add(*statements, drafts.save_draft(after, seen=draft))
    if payment is not None:
        started = audit.record(
            actor,
            "payment.started",
            payment.id,
            at,
            store_id=store_id,
            order=placed.order.id,
            method=payment.method,
        )
        batch.add(payments.insert_payment(payment), started)
    placing = audit.record(
        actor, "draft.placed", draft.id, at, store_id=store_id, order=placed.order.id
    )
    await shop.db.commit(batch.add(placing))
    return result


async def _save(
    shop: Shop,
    store_id: int,
    draft_id: str,
    change: Callable[[Draft], Draft],
    actor: Actor,
    action: str,
) -> Draft:
    at = shop.clock.now()
    seen = await drafts.get_draft(shop.db, store_id, draft_id)
    seen.check_open()
    after = msgspec.structs.replace(change(seen), updated_at=at)
    await shop.db.commit(
        Batch(
            drafts.save_draft(after, seen=seen),
            audit.record(actor, action, draft_id, at, store_id=store_id),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


async def _check_method(shop: Shop, store_id: int, content: Content, basket: Basket) -> None:
    if content.payment_method is None:
        return
    store = await stores.get_store(shop.db, store_id)
    offered = {m.method: m for m in methods_of(shop, store)}
    method = offered.get(content.payment_method)
    if method is None:
        raise MethodNotOffered("payment.method")
    if not carries(method, store.settings_value(), basket.total_dirhams):
        raise AmountNotCarried("payment.method")


async def _attempt(shop: Shop, order: Order) -> Payment | None:
    method = {m.method: m for m in shop.methods}[order.payment_method]
    if method.provider is None or method.asks:
        return None  # nothing to do, or only the payer knows what the gateway asks for
    return await new_attempt(shop, order, method)


def _command(draft: Draft, content: Content) -> PlaceOrder:
    """The draft as an order request; what is missing is empty, which only a quote may have."""
    return PlaceOrder(
        store_id=draft.store_id,
        items=tuple(Wanted(i.product_id, i.quantity, i.variant_id) for i in content.items),
        customer_user_id=None,
        customer_name=content.customer_name or "",
        customer_phone=content.customer_phone or "",
        customer_email=content.customer_email,
        city_code=content.city_code or "",
        area=content.area,
        address=content.address or "",
        shipping_notes=content.shipping_notes,
        shipping_method=content.shipping_method,
        payment_method=content.payment_method or "",
        notes=content.notes,
        coupon_code=content.coupon_code,
        manual_discount_dirhams=content.manual_discount_dirhams,
        shipping_override_dirhams=content.shipping_override_dirhams,
        channel=CHANNEL,
    )

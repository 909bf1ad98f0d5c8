"""Erase a person's data: an account's, or a store's customer's. What the books need stays, without
the person (flows/forget_buyers.py).

Orders lose their buyer in short batches, oldest first, and the account goes last, so what a crash
leaves is finished by asking again. Nothing that names the person enters the audit trail: its lines
are sealed and cannot be rewritten.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import identities, invitations
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import LastAdmin, User
from eishro.domain.customers import sql as customers
from eishro.domain.drafts import sql as drafts
from eishro.domain.drafts.model import Draft
from eishro.domain.messages.port import KeepsLetters
from eishro.domain.orders import owners
from eishro.domain.orders.model import Order
from eishro.errors import Conflict, Invalid, NotFound, Words
from eishro.flows import two_factor
from eishro.flows.claim_orders import claim_guest_orders
from eishro.flows.forget_buyers import AT_ONCE, forget_buyers
from eishro.flows.secure_account import Proof, prove_now
from eishro.flows.shop import Shop, again_if_stale
from eishro.phones import COUNTRY
from eishro.text import normalise

NAMED_MAX = 20  # open orders that a refusal names
TOMBSTONE = "deleted-{}@erased.invalid"


class OrdersOpen(Conflict):
    """Somebody still has to deliver to this person, or take goods back."""

    code = "ORDERS_OPEN"

    def __init__(self, found: list[Order]) -> None:
        super().__init__(
            Words(
                "There are orders that are not finished; cancel them or wait for them first.",
                "توجد طلبات لم تكتمل؛ ألغها أو انتظر اكتمالها أولا.",
            ),
            details={"orders": [{"id": order.id, "number": order.number} for order in found]},
        )


class OwnsStore(Conflict):
    """A store's books and buyers cannot lose their owner."""

    code = "OWNS_STORE"
    words = Words(
        "You own a store; give it to another owner first.",
        "أنت تملك متجرا؛ انقل ملكيته إلى مالك آخر أولا.",
    )


class CustomerNotFound(NotFound):
    """No order or draft of the store has this telephone."""

    words = Words("There is no such customer.", "لا يوجد عميل كهذا.")


async def erase_account(shop: Shop, proof: Proof, actor: Actor) -> int:
    """Erase the account behind the proof; how many orders lost their buyer.

    Raises:
        OwnsStore, LastAdmin, OrdersOpen, and what `secure_account.prove` raises.
    """
    user = await accounts.get_user(shop.db, proof.caller.user_id or 0)
    await prove_now(shop, proof, user)
    await _refuse_needed(shop, user)
    # What is proven to be the person's is the person's to erase.
    await claim_guest_orders(shop, user.id, actor)
    await _refuse_open(await owners.list_open_orders_of(shop.db, user.id, NAMED_MAX))
    phones = [proven.phone for proven in await customers.list_phones(shop.db, user.id)]
    erased = await _all_of(_erase_own_orders, shop, user.id, actor)
    await _all_of(_erase_drafts, shop, None, phones, actor)
    await _erase_user(shop, user.id, actor)
    _forget_letters(shop, [user.email, *phones])
    return erased


async def erase_customer(shop: Shop, store_id: int, phone: str, reason: str, actor: Actor) -> int:
    """Take the buyer out of the store's finished orders and drafts with this telephone; how many
    orders.

    Raises:
        CustomerNotFound, OrdersOpen, Invalid.
    """
    await _refuse_open(await owners.list_open_orders_by_phone(shop.db, store_id, phone, NAMED_MAX))
    named = await owners.list_finished_orders_by_phone(shop.db, store_id, phone, AT_ONCE)
    _refuse_names(reason, phone, named)
    erased = await _all_of(_erase_of_phone, shop, store_id, phone, actor)
    drafted = await _all_of(_erase_drafts, shop, store_id, [phone], actor)
    if not erased and not drafted:
        raise CustomerNotFound()
    at = shop.clock.now()
    await shop.db.commit(
        Batch(
            audit.record(
                actor, "customer.erased", store_id, at,
                store_id=store_id, reason=reason, orders=erased, drafts=drafted,
            )
        )
    )  # fmt: skip
    return erased


async def _all_of(some: Callable[..., Coroutine[Any, Any, int]], shop: Shop, *whose: object) -> int:
    """Batch by batch, until nothing is left; how many in all."""
    done = 0
    while count := await some(shop, *whose):
        done += count
    return done


async def _refuse_needed(shop: Shop, user: User) -> None:
    if await accounts.find_own_store(shop.db, user.id) is not None:
        raise OwnsStore()
    if user.role == "admin" and await accounts.find_other_admin(shop.db, user.id) is None:
        raise LastAdmin()


async def _refuse_open(found: list[Order]) -> None:
    if found:
        raise OrdersOpen(found)


def _refuse_names(reason: str, phone: str, found: list[Order]) -> None:
    """The reason stands in the trail for good, so it must not say who it was."""
    said = normalise(reason)
    digits = "".join(letter for letter in said if letter.isdigit())
    names = [order.customer_name for order in found]
    names += [order.customer_email for order in found if order.customer_email]
    is_named = any(f" {name} " in f" {said} " for name in map(normalise, names) if name)
    if is_named or phone.removeprefix(COUNTRY).removeprefix("+") in digits:
        words = Words(
            "must not name the customer: it stays in the audit trail",
            "يجب ألا يذكر العميل: يبقى السبب في سجل التدقيق",
        )
        raise Invalid({"reason": words})


def _forget_letters(shop: Shop, receivers: list[str]) -> None:
    """What the outboxes of development keep of what was sent; other gateways keep nothing here."""
    for outbox_of in (shop.mail, shop.sms):
        if isinstance(outbox_of, KeepsLetters):
            for receiver in receivers:
                outbox_of.forget_to(receiver)


@again_if_stale
async def _erase_own_orders(shop: Shop, user_id: int, actor: Actor) -> int:
    found = await owners.list_named_orders_of(shop.db, user_id, AT_ONCE)
    return await _erase(shop, found, actor)


@again_if_stale
async def _erase_of_phone(shop: Shop, store_id: int, phone: str, actor: Actor) -> int:
    found = await owners.list_finished_orders_by_phone(shop.db, store_id, phone, AT_ONCE)
    return await _erase(shop, found, actor)


async def _erase(shop: Shop, found: list[Order], actor: Actor) -> int:
    if found:
        at = shop.clock.now()
        batch = Batch().add(
            *await forget_buyers(shop, found),
            *(
                audit.record(actor, "order.buyer_erased", o.id, at, store_id=o.store_id)
                for o in found
            ),
        )
        await shop.db.commit(batch)
    return len(found)


@again_if_stale
async def _erase_drafts(shop: Shop, store_id: int | None, phones: list[str], actor: Actor) -> int:
    """Drafts for these telephones, placed or not, of the store (None: of all stores)."""
    if store_id is None:
        found = await drafts.list_drafts_of_phones(shop.db, phones, AT_ONCE)
    else:
        found = await drafts.list_drafts_of_phone(shop.db, store_id, phones[0], AT_ONCE)
    if found:
        at = shop.clock.now()

        def told(draft: Draft) -> Statement:
            return audit.record(actor, "draft.buyer_erased", draft.id, at, store_id=draft.store_id)

        saved = [drafts.save_draft(one.without_buyer(at), seen=one) for one in found]
        await shop.db.commit(Batch(*saved, *(told(one) for one in found)))
    return len(found)


@again_if_stale
async def _erase_user(shop: Shop, user_id: int, actor: Actor) -> None:
    """The account keeps its number, so that what it did stays one person's doing."""
    at = shop.clock.now()
    seen = await accounts.get_user(shop.db, user_id)
    await _refuse_needed(shop, seen)
    after = msgspec.structs.replace(
        seen,
        email=TOMBSTONE.format(seen.id),
        password_hash="",
        first_name="",
        last_name="",
        phone=None,
        role="customer",
        is_active=False,
        email_verified_at=None,
        updated_at=at,
    )
    members = [
        await accounts.find_member(shop.db, store_id, seen.id)
        for store_id in await accounts.list_stores_of(shop.db, seen.id)
    ]
    await shop.db.commit(
        Batch(
            accounts.save_user(after, seen=seen),
            *(accounts.delete_membership(m.store_id, m.user_id, m.role) for m in members if m),
            *accounts.end_sessions(seen, at),
            accounts.forget_sessions_of(seen.id),
            identities.forget_identities(seen.id),
            invitations.forget_invitations(seen.id, seen.email),
            *await two_factor.forget(shop, seen.id),
            customers.delete_addresses(seen.id),
            *customers.forget_phones(seen.id),
            outbox.publish("user.erased", str(seen.id), at, email=seen.email),
            audit.record(actor, "user.erased", seen.id, at),
        )
    )

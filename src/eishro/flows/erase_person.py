"""Erase a person's data: an account's, or a store's customer's. What the books need stays, without
the person: goods, amounts, city, dates, payments.

Orders lose their buyer in short batches, oldest first, and the account goes last, so what a crash
leaves is finished by asking again. Nothing that names the person enters the audit trail: its lines
are sealed and cannot be rewritten.
"""

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import identities
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import LastAdmin, User
from eishro.domain.customers import sql as customers
from eishro.domain.discounts import uses
from eishro.domain.orders import owners
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Order
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.transfers import PROVIDER as TRANSFER
from eishro.errors import Conflict, NotFound, Words
from eishro.flows import two_factor
from eishro.flows.claim_orders import claim_guest_orders
from eishro.flows.secure_account import Proof, prove_now
from eishro.flows.shop import Shop, again_if_stale

AT_ONCE = 50  # orders in one batch
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
    """No order of the store has this telephone."""

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
    erased = 0
    while some := await _erase_own_orders(shop, user.id, actor):
        erased += some
    await _erase_user(shop, user.id, actor)
    return erased


async def erase_customer(shop: Shop, store_id: int, phone: str, reason: str, actor: Actor) -> int:
    """Take the buyer out of the store's finished orders with this telephone; how many.

    Raises:
        CustomerNotFound, OrdersOpen.
    """
    await _refuse_open(await owners.list_open_orders_by_phone(shop.db, store_id, phone, NAMED_MAX))
    erased = 0
    while some := await _erase_of_phone(shop, store_id, phone, actor):
        erased += some
    if not erased:
        raise CustomerNotFound()
    at = shop.clock.now()
    await shop.db.commit(
        Batch(
            audit.record(
                actor, "customer.erased", store_id, at,
                store_id=store_id, reason=reason, orders=erased,
            )
        )
    )  # fmt: skip
    return erased


async def forget_buyers(shop: Shop, found: list[Order]) -> list[Statement]:
    """Statements that take the buyer out of finished orders, or `Stale`; `found` is not empty."""
    at = shop.clock.now()
    statements: list[Statement] = []
    for order in found:
        statements.append(orders.save_order(order.without_buyer(at), seen=order))
        used = await uses.list_uses(shop.db, order.store_id, order.id)
        statements += uses.forget_customers(used)
    statements += await _forget_proofs(shop, found)
    return [*statements, owners.forget_notes(found), payments.forget_actions(found)]


async def _forget_proofs(shop: Shop, found: list[Order]) -> list[Statement]:
    """What buyers showed of their transfers; pictures go once the batch is written."""
    at = shop.clock.now()
    attempts = await payments.list_payments_of_orders(shop.db, [order.id for order in found])
    stores: dict[int, list[str]] = {}
    for attempt in attempts:
        if attempt.provider == TRANSFER:
            stores.setdefault(attempt.store_id, []).append(attempt.id)
    proofs = [
        proof
        for store_id, ids in stores.items()
        for proof in await transfers.list_proofs(shop.db, store_id, ids)
    ]
    if not proofs:
        return []
    return [
        transfers.forget_proofs(proofs),
        *(
            outbox.publish("proof.forgotten", proof.file_key, at, store_id=proof.store_id)
            for proof in proofs
            if proof.file_key is not None
        ),
    ]


async def _refuse_needed(shop: Shop, user: User) -> None:
    if await accounts.find_own_store(shop.db, user.id) is not None:
        raise OwnsStore()
    if user.role == "admin" and await accounts.find_other_admin(shop.db, user.id) is None:
        raise LastAdmin()


async def _refuse_open(found: list[Order]) -> None:
    if found:
        raise OrdersOpen(found)


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
        batch = Batch(*await forget_buyers(shop, found))
        batch.add(
            *(
                audit.record(actor, "order.buyer_erased", o.id, at, store_id=o.store_id)
                for o in found
            )
        )
        await shop.db.commit(batch)
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
            *await two_factor.forget(shop, seen.id),
            customers.delete_addresses(seen.id),
            *customers.forget_phones(seen.id),
            outbox.publish("user.erased", str(seen.id), at, email=seen.email),
            audit.record(actor, "user.erased", seen.id, at),
        )
    )

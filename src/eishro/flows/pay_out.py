"""Pay out: the store asks for what it is owed, one admin approves, another one pays.

What is available is decided from the ledger and the open payouts; the row of the store's bank
account guards it, so that two requests at once cannot both take the balance. A refund may take
the balance below a payout that is open: then the payout is not approved or paid before new sales
cover it, and what went out too much is kept back from the next one.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eishro.db import audit, outbox
from eishro.db.audit import Actor
from eishro.db.statements import Batch, Statement
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import ReauthenticationRequired
from eishro.domain.ledger import reading
from eishro.domain.ledger import sql as ledger
from eishro.domain.ledger.model import owed_of
from eishro.domain.payouts import sql as payouts
from eishro.domain.payouts.iban import masked
from eishro.domain.payouts.model import (
    BankAccount,
    Payout,
    PayoutNotCovered,
    available_of,
)
from eishro.errors import Stale
from eishro.flows.secure_account import Proof, prove
from eishro.flows.shop import Once, Shop, again_if_stale
from eishro.ids import text_id


class Funds(msgspec.Struct, frozen=True):
    """A store's balances, what it is owed of them, and what it may ask for."""

    balances: dict[str, int]
    owed_dirhams: int
    open_dirhams: int
    available_dirhams: int


class BankDetails(msgspec.Struct, frozen=True):
    """Where the money is to go; the IBAN is checked and without spaces."""

    beneficiary: str
    bank: str
    iban: str


async def read_funds(shop: Shop, store_id: int) -> Funds:
    """What the books say of the store now."""
    balances = await reading.read_balances(shop.db, store_id)
    owed = owed_of(balances)
    waiting = await payouts.sum_open(shop.db, store_id)
    return Funds(balances, owed, waiting, available_of(owed, waiting))


@again_if_stale
async def request_payout(
    shop: Shop, store_id: int, amount_dirhams: int | None, by: int, actor: Actor, once: Once
) -> Payout:
    """Ask for an amount, or for all there is; it is reserved at once.

    Raises:
        BankAccountMissing, PayoutNotCovered.
    """
    account = await payouts.get_account(shop.db, store_id)
    at = shop.clock.now()
    available = (await read_funds(shop, store_id)).available_dirhams
    amount = available if amount_dirhams is None else amount_dirhams
    if not 0 < amount <= available:
        raise PayoutNotCovered(available)
    payout = _new(account, amount, by, at, shop.rules.payout_delay)
    await shop.db.commit(
        Batch(
            *once.claim(payout),
            payouts.touch_account(account),
            payouts.insert_payout(payout),
            *_told(payout, "requested", at, actor),
        )
    )
    return payout


@again_if_stale
async def approve_payout(shop: Shop, payout_id: str, by: int, actor: Actor) -> Payout:
    """Approve it; whoever requested it may not.

    Raises:
        PayoutNotFound, PayoutNotPossible, TwoPeopleNeeded, PayoutTooEarly, PayoutNotCovered.
    """
    at = shop.clock.now()
    seen = await payouts.get_payout(shop.db, payout_id)
    after = seen.approve(by, at)
    return await _save(shop, after, seen, at, actor, await _covered(shop, seen))


@again_if_stale
async def reject_payout(shop: Shop, payout_id: str, by: int, reason: str, actor: Actor) -> Payout:
    """Refuse it, also an approved one; its amount is available again.

    Raises:
        PayoutNotFound, PayoutNotPossible.
    """
    seen = await payouts.get_payout(shop.db, payout_id)
    return await _close(shop, seen, "rejected", by, reason, actor)


@again_if_stale
async def cancel_payout(shop: Shop, store_id: int, payout_id: str, by: int, actor: Actor) -> Payout:
    """The store does not want it any more; its amount is available again.

    Raises:
        PayoutNotFound, PayoutNotPossible.
    """
    seen = await payouts.get_payout_of_store(shop.db, store_id, payout_id)
    return await _close(shop, seen, "cancelled", by, None, actor)


@again_if_stale
async def pay_payout(shop: Shop, payout_id: str, by: int, reference: str, actor: Actor) -> Payout:
    """It was sent; whoever approved it may not have sent it. The books follow.

    Raises:
        PayoutNotFound, PayoutNotPossible, TwoPeopleNeeded, PayoutNotCovered.
    """
    at = shop.clock.now()
    seen = await payouts.get_payout(shop.db, payout_id)
    after = seen.pay(by, at, reference)
    amounts = {"payouts": -seen.amount_dirhams, "bank": seen.amount_dirhams}
    posted = ledger.post(seen.store_id, "payout.paid", at, amounts)
    return await _save(shop, after, seen, at, actor, [*await _covered(shop, seen), posted])


@again_if_stale
async def change_bank_account(
    shop: Shop, store_id: int, details: BankDetails, proof: Proof, actor: Actor
) -> BankAccount:
    """Name the store's bank account; the owners are told by mail, and payouts wait a while.

    Open payouts still go where they were meant to go.

    Raises:
        What `prove` raises.
    """
    at = shop.clock.now()
    if proof.caller.user_id is None:
        raise ReauthenticationRequired()
    user = await accounts.get_user(shop.db, proof.caller.user_id)
    taken = await prove(shop, proof, user, at)
    seen = await payouts.find_account(shop.db, store_id)
    after = BankAccount(
        store_id=store_id,
        beneficiary=details.beneficiary,
        bank=details.bank,
        iban=details.iban,
        changed_by=user.id,
        changed_at=at,
        version=1 if seen is None else seen.version + 1,
    )
    await shop.db.commit(
        Batch(
            *taken,
            payouts.insert_account(after)
            if seen is None
            else payouts.save_account(after, seen=seen),
            outbox.publish("bank_account.changed", str(store_id), at, store_id=store_id),
            audit.record(
                actor,
                "bank_account.changed",
                store_id,
                at,
                store_id=store_id,
                before=None if seen is None else masked(seen.iban),
                after=masked(after.iban),
            ),
        )
    )
    return after


def _new(account: BankAccount, amount: int, by: int, at: datetime, delay: timedelta) -> Payout:
    return Payout(
        id=text_id("pyo", at),
        store_id=account.store_id,
        amount_dirhams=amount,
        status="requested",
        beneficiary=account.beneficiary,
        bank=account.bank,
        iban=account.iban,
        requested_by=by,
        requested_at=at,
        not_before=max(at, account.changed_at + delay),
        approved_by=None,
        approved_at=None,
        paid_by=None,
        paid_at=None,
        reference=None,
        closed_by=None,
        closed_at=None,
        reason=None,
        version=1,
    )


async def _covered(shop: Shop, payout: Payout) -> list[Statement]:
    """The guard of what the books say; refused if refunds have eaten the payout's money."""
    account = await payouts.get_account(shop.db, payout.store_id)
    owed = owed_of(await reading.read_balances(shop.db, payout.store_id))
    if owed < payout.amount_dirhams:
        if await payouts.get_payout(shop.db, payout.id) != payout:
            raise Stale()  # it was paid meanwhile, and that is why
        raise PayoutNotCovered(available_of(owed, 0))
    return [payouts.touch_account(account)]


async def _close(
    shop: Shop,
    seen: Payout,
    as_: Literal["rejected", "cancelled"],
    by: int,
    reason: str | None,
    actor: Actor,
) -> Payout:
    at = shop.clock.now()
    return await _save(shop, seen.close(as_, by, at, reason), seen, at, actor, [])


async def _save(
    shop: Shop,
    after: Payout,
    seen: Payout,
    at: datetime,
    actor: Actor,
    others: list[Statement],
) -> Payout:
    await shop.db.commit(
        Batch(
            *others,
            payouts.save_payout(after, seen=seen),
            *_told(after, after.status, at, actor),
        )
    )
    return msgspec.structs.replace(after, version=seen.version + 1)


def _told(payout: Payout, what: str, at: datetime, actor: Actor) -> list[Statement]:
    return [
        outbox.publish(f"payout.{what}", payout.id, at, store_id=payout.store_id),
        audit.record(
            actor,
            f"payout.{what}",
            payout.id,
            at,
            store_id=payout.store_id,
            dirhams=payout.amount_dirhams,
            iban=masked(payout.iban),
            reason=payout.reason,
            reference=payout.reference,
        ),
    ]

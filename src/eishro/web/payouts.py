"""Payouts of a store, the platform's word on them, and the bank account they go to."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from eishro.domain.payouts import sql as payouts
from eishro.domain.payouts.model import BankAccount, Payout, Status
from eishro.errors import Forbidden, Invalid, Unauthenticated, Words
from eishro.flows import pay_out
from eishro.flows.pay_out import BankDetails
from eishro.web.admin import Reason
from eishro.web.bank_wire import Iban
from eishro.web.routes import Call, Page, Reply
from eishro.web.security import ProofBody, proof_of
from eishro.web.stores import has_condition, refuse_stale
from eishro.web.wire import VISIBLE, Dinars, Name, dinars

Reference = Annotated[str, Meta(min_length=1, max_length=100, pattern=VISIBLE)]


class PayoutQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a store's payouts."""

    page: Annotated[int, Meta(ge=1, le=10_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class AdminPayoutQuery(PayoutQuery, frozen=True, rename="camel"):
    """A page of every store's payouts."""

    status: Status | None = None


class PayoutBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How much; all that is available if not given."""

    amount: Dinars | None = None


class PaidBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How the bank knows the transfer."""

    reference: Reference


class RejectBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why, as the store will read it."""

    reason: Reason


class BankAccountBody(ProofBody, frozen=True, kw_only=True, rename="camel"):
    """Where the store's money is to go."""

    beneficiary: Name
    bank: Name
    iban: Iban


class BankAccountView(msgspec.Struct, frozen=True, rename="camel"):
    """Where the store's money goes."""

    beneficiary: str
    bank: str
    iban: str
    changed_at: datetime


class PayoutView(msgspec.Struct, frozen=True, rename="camel"):
    """One payout; it is not approved before `notBefore`."""

    id: str
    store_id: int
    status: str
    amount: Decimal
    currency: str
    beneficiary: str
    bank: str
    iban: str
    requested_by: int
    requested_at: datetime
    not_before: datetime
    approved_by: int | None
    approved_at: datetime | None
    paid_by: int | None
    paid_at: datetime | None
    reference: str | None
    closed_at: datetime | None
    reason: str | None


async def request(call: Call, body: PayoutBody) -> Reply:
    """Ask for what the platform owes the store."""
    amount = None if body.amount is None else body.amount.dirhams
    if amount == 0:
        raise Invalid({"amount": Words("must be above zero", "يجب أن يكون أكبر من صفر")})

    def view(payout: Payout) -> Reply:
        return Reply(payout_view(payout), status=201)

    once = call.once(view)
    return once.reply(
        await pay_out.request_payout(call.shop, call.store, amount, _person(call), call.actor, once)
    )


async def list_of_store(call: Call, query: PayoutQuery) -> Reply:
    """The store's payouts, newest first."""
    found, total = await payouts.list_payouts_of_store(
        call.shop.db, call.store, query.limit, _offset(query)
    )
    return _list(found, query, total)


async def cancel(call: Call) -> Reply:
    """Take a request back before it is approved."""
    payout_id = call.params["payout_id"]
    if has_condition(call):
        seen = await payouts.get_payout_of_store(call.shop.db, call.store, payout_id)
        refuse_stale(call, payout_view(seen))
    payout = await pay_out.cancel_payout(
        call.shop, call.store, payout_id, _person(call), call.actor
    )
    return Reply(payout_view(payout))


async def list_all(call: Call, query: AdminPayoutQuery) -> Reply:
    """Every store's payouts, newest first."""
    found, total = await payouts.list_payouts(
        call.shop.db, query.status, query.limit, _offset(query)
    )
    return _list(found, query, total)


async def approve(call: Call) -> Reply:
    """Approve a payout that somebody else requested."""
    await _refuse_stale(call)
    payout_id = call.params["payout_id"]
    payout = await pay_out.approve_payout(call.shop, payout_id, _person(call), call.actor)
    return Reply(payout_view(payout))


async def reject(call: Call, body: RejectBody) -> Reply:
    """Refuse a payout; its amount is available again."""
    await _refuse_stale(call)
    payout_id = call.params["payout_id"]
    payout = await pay_out.reject_payout(
        call.shop, payout_id, _person(call), body.reason, call.actor
    )
    return Reply(payout_view(payout))


async def pay(call: Call, body: PaidBody) -> Reply:
    """Note that a payout which somebody else approved was sent."""
    await _refuse_stale(call)
    payout_id = call.params["payout_id"]
    payout = await pay_out.pay_payout(
        call.shop, payout_id, _person(call), body.reference.strip(), call.actor
    )
    return Reply(payout_view(payout))


async def read_bank_account(call: Call) -> Reply:
    """Where the store's money goes."""
    return Reply(_account_view(await payouts.get_account(call.shop.db, call.store)))


async def change_bank_account(call: Call, body: BankAccountBody) -> Reply:
    """Name the account that the store's money goes to."""
    if has_condition(call):
        seen = await payouts.get_account(call.shop.db, call.store)
        refuse_stale(call, _account_view(seen))
    details = BankDetails(body.beneficiary.strip(), body.bank.strip(), body.iban.iban)
    account = await pay_out.change_bank_account(
        call.shop, call.store, details, proof_of(call, body), call.actor
    )
    return Reply(_account_view(account))


def payout_view(payout: Payout) -> PayoutView:
    """The payout as the API shows it."""
    shown = {
        name: getattr(payout, name)
        for name in PayoutView.__struct_fields__
        if name not in ("amount", "currency")
    }
    return PayoutView(**shown, amount=dinars(payout.amount_dirhams), currency="LYD")


async def _refuse_stale(call: Call) -> None:
    if has_condition(call):
        seen = await payouts.get_payout(call.shop.db, call.params["payout_id"])
        refuse_stale(call, payout_view(seen))


def _account_view(account: BankAccount) -> BankAccountView:
    return BankAccountView(account.beneficiary, account.bank, account.iban, account.changed_at)


def _list(found: list[Payout], query: PayoutQuery, total: int) -> Reply:
    return Reply([payout_view(one) for one in found], page=Page(query.page, query.limit, total))


def _offset(query: PayoutQuery) -> int:
    return (query.page - 1) * query.limit


def _person(call: Call) -> int:
    """Who really acts: an admin who acts for somebody is the admin."""
    if call.caller is None:
        raise Unauthenticated()
    person = call.caller.admin_id or call.caller.user_id
    if person is None:
        raise Forbidden()  # money is moved by people
    return person

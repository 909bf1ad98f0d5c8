"""Invoices and credit notes."""

import sqlalchemy as sa

from eishro.db.statements import Query
from eishro.domain.invoices.sql import invoices
from eishro.errors import ShopError
from eishro.flows.issue_invoice import issue_credit_note, issue_invoice
from eishro.flows.shop import Shop
from tests.security.street.step import Step, Street, Trespass

_INVOICES = Query(
    sa.select(sa.func.count())
    .select_from(invoices)
    .where(invoices.c.store_id == sa.bindparam("store_id"), invoices.c.kind == "invoice"),
    int,
)


async def _credit(shop: Shop, street: Street) -> None:
    """A refund of ours that is called like one of the neighbour's."""
    note = await issue_credit_note(shop, street.ours["delivered order"], "ref_theirs_0", 2_000)
    if note.store_id != street.ours["store"]:
        raise Trespass("a credit note of the neighbour's")


async def _number(shop: Shop, street: Street) -> None:
    """The neighbour's next number follows its own last one, not ours."""
    before = await shop.db.one(_INVOICES, store_id=street.theirs["store"]) or 0
    try:
        made = await issue_invoice(shop, street.theirs["processing order"])
    except ShopError as refusal:
        raise Trespass(f"the neighbour's invoice: {refusal}") from refusal
    if made.number != before + 1:
        raise Trespass(f"the neighbour's invoice after {before} has the number {made.number}")


STEPS = (
    Step("new invoice", "GET", "/api/orders/{ours[processing order]}/invoice"),
    Step("invoice", "GET", "/api/orders/{ours[delivered order]}/invoice"),
    Step("their invoice", "GET", "/api/orders/{theirs[delivered order]}/invoice", status=404),
    Step("credit notes", "GET", "/api/orders/{ours[delivered order]}/credit-notes"),
    Step("credit note", "GET", "/api/orders/{ours[delivered order]}/credit-notes/CN-000001"),
    Step("their number", "GET", "/api/orders/{ours[delivered order]}/credit-notes/2", status=404),
    Step("credit", job=_credit),
    Step("number", job=_number),
)  # fmt: skip

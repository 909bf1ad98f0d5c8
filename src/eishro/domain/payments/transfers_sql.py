"""Tables and statements of transfers: what payers show, what banks list, what people look at."""

from typing import Any

import sqlalchemy as sa

from eishro.db.database import Database
from eishro.db.rows import columns_of, save_by_version, saving, values_of
from eishro.db.schema import table
from eishro.db.statements import Query, Write, in_list, insert_once
from eishro.db.statements import Statement as Sql
from eishro.db.types import Id, Int, Json, Moment, Text
from eishro.domain.payments.model import Payment, Status
from eishro.domain.payments.sql import payment_receipts, payments
from eishro.domain.payments.statements import Statement, StatementNotFound
from eishro.domain.payments.transfers import PROOFS_MAX, PROVIDER, Proof, ProofNotFound
from eishro.errors import Stale

payment_proofs = table(
    "payment_proofs",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, nullable=False),
    sa.Column("payment_id", Id, nullable=False),
    sa.Column("sender_name", Text, nullable=False),
    sa.Column("bank", Text, nullable=False),
    sa.Column("sent_on", Text, nullable=False),
    sa.Column("bank_reference", Text, nullable=False),
    sa.Column("file_key", Text),
    sa.Column("file_type", Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.ForeignKeyConstraint(["store_id", "payment_id"], ["payments.store_id", "payments.id"]),
    sa.Index("ix_payment_proofs_store_id_payment_id", "store_id", "payment_id"),
    with_rowid=False,
)

bank_statements = table(
    "bank_statements",
    sa.Column("id", Id, primary_key=True),
    sa.Column("store_id", Int, sa.ForeignKey("stores.id"), nullable=False),
    sa.Column("file_name", Text, nullable=False),
    sa.Column("file_hash", Text, nullable=False),
    sa.Column("rows_total", Int, nullable=False),
    sa.Column("counts", Json, nullable=False),
    sa.Column("amount_dirhams", Int, nullable=False),
    sa.Column("rows", Json, nullable=False),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("version", Int, nullable=False),
    sa.UniqueConstraint("store_id", "id"),
    sa.UniqueConstraint("store_id", "file_hash"),
    with_rowid=False,
)

_PAYMENT = sa.select(*columns_of(payments, Payment))
_MINE = payments.c.store_id == sa.bindparam("store_id")
_IN_STATUS = (
    _MINE,
    payments.c.provider == sa.bindparam("provider"),
    in_list(payments.c.status, "statuses"),
)
_FLAGGED = (_MINE, sa.text("review IS NOT NULL"))  # as the index says it
_COUNT = sa.select(sa.func.count()).select_from(payments)


def _page(select: Any, order: Any, into: Any) -> Query[Any]:
    return Query(
        select.order_by(order).limit(sa.bindparam("limit")).offset(sa.bindparam("offset")), into
    )


_TRANSFERS = _page(_PAYMENT.where(*_IN_STATUS), payments.c.id.desc(), Payment)
_TRANSFERS_COUNT = Query(_COUNT.where(*_IN_STATUS), int)
_TO_REVIEW = _page(_PAYMENT.where(*_FLAGGED), payments.c.id.desc(), Payment)
_TO_REVIEW_COUNT = Query(_COUNT.where(*_FLAGGED), int)
_IN_STORE = Query(_PAYMENT.where(_MINE, payments.c.id == sa.bindparam("id")), Payment)
_OF_REFERENCES = Query(
    _PAYMENT.where(
        # A sum is in no index: else SQLite reads all transfers of the store for a few of them.
        payments.c.store_id + 0 == sa.bindparam("store_id"),
        payments.c.provider == sa.bindparam("provider"),
        in_list(payments.c.reference, "references"),
    ).limit(sa.bindparam("limit")),
    Payment,
)
# Whatever the terminal: who types a reference by hand does not know it.
_OWNERS = Query(
    sa.select(payment_receipts.c.payment_id)
    .where(
        payment_receipts.c.provider == sa.bindparam("provider"),
        payment_receipts.c.provider_reference == sa.bindparam("provider_reference"),
    )
    .limit(sa.bindparam("limit")),
    str,
    across_stores=True,
)
_PROOFS = Query(
    sa.select(*columns_of(payment_proofs, Proof))
    .where(
        payment_proofs.c.store_id == sa.bindparam("store_id"),
        in_list(payment_proofs.c.payment_id, "payment_ids"),
    )
    .order_by(payment_proofs.c.id.desc())
    .limit(sa.bindparam("limit")),
    Proof,
)
_PROOF = Query(
    sa.select(*columns_of(payment_proofs, Proof)).where(
        payment_proofs.c.store_id == sa.bindparam("store_id"),
        payment_proofs.c.id == sa.bindparam("id"),
    ),
    Proof,
)
_FORGET_PROOFS = Write(
    sa.update(payment_proofs)
    .where(
        payment_proofs.c.store_id == sa.bindparam("key_store"),
        payment_proofs.c.payment_id == sa.bindparam("key_payment"),
    )
    .values(sender_name="", bank="", bank_reference="", file_key=sa.null(), file_type=sa.null())
)
_INSERT_PROOF = Write(sa.insert(payment_proofs))

_STATEMENT = sa.select(*columns_of(bank_statements, Statement))
_OURS = bank_statements.c.store_id == sa.bindparam("store_id")
_STATEMENT_BY_ID = Query(
    _STATEMENT.where(_OURS, bank_statements.c.id == sa.bindparam("id")), Statement
)
_STATEMENT_BY_HASH = Query(
    _STATEMENT.where(_OURS, bank_statements.c.file_hash == sa.bindparam("file_hash")), Statement
)
_STATEMENTS = _page(_STATEMENT.where(_OURS), bank_statements.c.id.desc(), Statement)
_STATEMENTS_COUNT = Query(sa.select(sa.func.count()).select_from(bank_statements).where(_OURS), int)
_INSERT_STATEMENT = Write(insert_once(bank_statements))
_SAVE_STATEMENT = Write(save_by_version(bank_statements, Statement, ("store_id", "id")))


async def list_transfers(
    db: Database, store_id: int, statuses: list[Status], limit: int, offset: int
) -> tuple[list[Payment], int]:
    """A page of the store's transfers in these statuses, newest first, and how many there are."""
    named = {"store_id": store_id, "provider": PROVIDER, "statuses": statuses}
    found = await db.all(_TRANSFERS, **named, limit=limit, offset=offset)
    return found, await db.one(_TRANSFERS_COUNT, **named) or 0


async def list_to_review(
    db: Database, store_id: int, limit: int, offset: int
) -> tuple[list[Payment], int]:
    """A page of the store's payments that people should look at, newest first, and their count."""
    found = await db.all(_TO_REVIEW, store_id=store_id, limit=limit, offset=offset)
    return found, await db.one(_TO_REVIEW_COUNT, store_id=store_id) or 0


async def find_payment_of_store(db: Database, store_id: int, payment_id: str) -> Payment | None:
    """The payment, if it is the store's."""
    return await db.one(_IN_STORE, store_id=store_id, id=payment_id)


async def find_by_references(
    db: Database, store_id: int, references: list[str]
) -> dict[str, Payment]:
    """The store's transfers by their references."""
    found = await db.all(
        _OF_REFERENCES,
        store_id=store_id,
        provider=PROVIDER,
        references=references,
        limit=len(references) + 1,
    )
    return {payment.reference: payment for payment in found}


async def list_owners(db: Database, provider: str, provider_reference: str) -> list[str]:
    """Payments that transactions of this reference were booked for, at any terminal."""
    return await db.all(_OWNERS, provider=provider, provider_reference=provider_reference, limit=10)


async def list_proofs(db: Database, store_id: int, payment_ids: list[str]) -> list[Proof]:
    """What payers showed for these payments, newest first."""
    limit = PROOFS_MAX * max(1, len(payment_ids))
    return await db.all(_PROOFS, store_id=store_id, payment_ids=payment_ids, limit=limit)


async def get_proof(db: Database, store_id: int, proof_id: str) -> Proof:
    """One proof, or `ProofNotFound`."""
    found = await db.one(_PROOF, store_id=store_id, id=proof_id)
    if found is None:
        raise ProofNotFound()
    return found


def insert_proof(proof: Proof) -> Sql:
    """Something more to look at."""
    return _INSERT_PROOF(**values_of(proof))


def forget_proofs(found: list[Proof]) -> Sql:
    """Take the person out of these proofs."""
    keys = {(proof.store_id, proof.payment_id) for proof in found}
    return _FORGET_PROOFS.each([{"key_store": s, "key_payment": p} for s, p in sorted(keys)])


async def get_statement(db: Database, store_id: int, statement_id: str) -> Statement:
    """An imported statement, or `StatementNotFound`."""
    found = await db.one(_STATEMENT_BY_ID, store_id=store_id, id=statement_id)
    if found is None:
        raise StatementNotFound()
    return found


async def find_statement_by_hash(db: Database, store_id: int, file_hash: str) -> Statement | None:
    """The former import of the same file, if any."""
    return await db.one(_STATEMENT_BY_HASH, store_id=store_id, file_hash=file_hash)


async def list_statements(
    db: Database, store_id: int, limit: int, offset: int
) -> tuple[list[Statement], int]:
    """A page of the store's imports, newest first, and how many there are."""
    found = await db.all(_STATEMENTS, store_id=store_id, limit=limit, offset=offset)
    return found, await db.one(_STATEMENTS_COUNT, store_id=store_id) or 0


def insert_statement(statement: Statement) -> Sql:
    """A new import; `Stale` if the same file came a moment ago."""
    return _INSERT_STATEMENT(**values_of(statement)).guarded(Stale())


def save_statement(statement: Statement, seen: Statement) -> Sql:
    """Replace `seen`, or `Stale`."""
    return _SAVE_STATEMENT(**saving(statement, seen, ("store_id", "id"))).guarded(Stale())

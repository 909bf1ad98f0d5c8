"""Bank transfers: banks, codes to scan, what payers show, and what the store's people decide."""

import io
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eishro.clock import TRIPOLI
from eishro.domain.files.port import FilesUnavailable
from eishro.domain.payments import sql as payments
from eishro.domain.payments import transfers_sql as transfers
from eishro.domain.payments.banks import BANKS, bank_words, find_bank
from eishro.domain.payments.model import SETTLED, Payment, Status
from eishro.domain.payments.port import Offline
from eishro.domain.payments.transfers import Proof, ProofNotFound, shown_reference
from eishro.errors import Invalid, NotFound, Unavailable, Words
from eishro.flows import settle_payment, verify_transfer
from eishro.flows.settle_payment import Finding, FoundOut
from eishro.flows.show_transfer import Shown, show_transfer
from eishro.flows.verify_transfer import Came
from eishro.pictures import Picture, look_at
from eishro.web.bank_wire import BankReference, Day
from eishro.web.forms import Upload, read_optional_form
from eishro.web.payments import action_of, payment_view
from eishro.web.routes import Call, Page, Raw, Reply
from eishro.web.wire import VISIBLE, Dinars, Name, Note, dinars

IMAGE_BYTES_MAX = 5_000_000  # requests as a whole have a limit of their own
OLD_DAYS_MAX = 90  # a transfer that is shown later than this was not for this order
Reason = Annotated[str, Meta(min_length=3, max_length=200, pattern=VISIBLE)]
GatewayReference = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:/-]+$")]
SVG = "image/svg+xml"
_OPEN: tuple[Status, ...] = ("processing",)
_AWAITED: tuple[Status, ...] = ("processing", "action_required")
_ALL: tuple[Status, ...] = (
    "processing", "action_required", "failed", "expired", "cancelled", "unknown", *sorted(SETTLED),
)  # fmt: skip
_NO_PICTURE = Words(
    "must be a JPEG, PNG or WebP picture of a usual size",
    "يجب أن يكون صورة JPEG أو PNG أو WebP بحجم معتاد",
)
_TOO_LARGE = Words("is larger than 5 MB", "حجمه أكبر من 5 ميغابايت")


class BankView(msgspec.Struct, frozen=True, rename="camel"):
    """A Libyan bank."""

    id: str
    name: str
    name_en: str


class ProofForm(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What comes along with the picture, which may be missing."""

    sender_name: Name
    bank: Name
    date: Day
    bank_reference: BankReference


class ProofView(msgspec.Struct, frozen=True, rename="camel"):
    """What a payer showed; `imageUrl` is for the store's people, too."""

    id: str
    sender_name: str
    bank: str
    bank_en: str
    date: str
    bank_reference: str
    image_url: str | None
    created_at: datetime


class TransferView(msgspec.Struct, frozen=True, rename="camel"):
    """A transfer as the store's people see it."""

    id: str
    order_id: str
    method: str
    status: Status
    amount: Decimal
    reference: str
    failure: str | None
    review: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    proofs: list[ProofView]


class TransferQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which transfers: with a proof to look at, also those still awaited, or all."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    show: Literal["shown", "awaited", "all"] = "shown"


class ReviewQuery(msgspec.Struct, frozen=True, rename="camel"):
    """A page of payments to look at."""

    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class VerifyTransferBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What came on the account."""

    amount: Dinars
    bank_reference: BankReference
    date: Day | None = None
    note: Note | None = None


class RejectTransferBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why, as the payer will read it."""

    reason: Reason


class SettleBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What was found out in the gateway's own pages; `paid` needs the gateway's reference, `noted`
    only says that somebody has looked.
    """

    outcome: FoundOut
    note: Reason
    provider_reference: GatewayReference | None = None


class ReviewedPaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """A payment as the store's people see it, with the reason to look at it."""

    id: str
    order_id: str
    method: str
    provider: str
    reference: str
    status: Status
    review: str | None
    failure: str | None
    amount: Decimal
    created_at: datetime
    updated_at: datetime


async def list_banks(_: Call) -> Reply:
    """Libyan banks in both languages."""
    return Reply([BankView(bank.id, bank.name, bank.name_en) for bank in BANKS])


async def show_code(call: Call) -> Raw:
    """The payment's code to scan, as a picture."""
    import segno

    payment = await payments.get_payment(call.shop.db, call.params["payment_id"])
    action = action_of(payment)
    if not isinstance(action, Offline) or action.qr is None:
        raise NotFound()
    code = segno.make(action.qr, error="m", micro=False)
    picture = io.BytesIO()
    code.save(picture, kind="svg", scale=6, border=4, dark="#000", light="#fff", xmldecl=False)
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "X-Content-Type-Options": "nosniff",
    }
    return Raw(picture.getvalue(), SVG, headers=headers)


async def show(call: Call) -> Reply:
    """A payer shows a transfer: the payment waits for the store's people."""
    upload, form = read_optional_form(call, ProofForm)
    picture = _picture(upload)
    _check_day(call, form.date.day)
    bank = find_bank(form.bank)
    shown = Shown(
        sender_name=form.sender_name.strip(),
        bank=bank.id if bank else form.bank.strip(),
        sent_on=form.date.day,
        bank_reference=form.bank_reference.reference,
        image=upload.content if upload and picture else None,
        picture=picture,
    )

    def view(payment: Payment) -> Reply:
        return Reply(payment_view(call, payment), status=201)

    once = call.once(view)
    payment_id = call.params["payment_id"]
    try:
        payment = await show_transfer(call.shop, payment_id, shown, call.actor, once)
    except FilesUnavailable as error:
        raise Unavailable() from error
    return once.reply(payment)


def _picture(upload: Upload | None) -> Picture | None:
    if upload is None or not upload.content:
        return None
    if len(upload.content) > IMAGE_BYTES_MAX:
        raise Invalid({"file": _TOO_LARGE})
    picture = look_at(upload.content)
    if picture is None or not picture.is_sane:
        raise Invalid({"file": _NO_PICTURE})
    return picture


def _check_day(call: Call, day: str) -> None:
    """The day of the transfer, as clocks in Libya show it."""
    today = call.shop.clock.now().astimezone(TRIPOLI).date()
    sent_on = date.fromisoformat(day)
    if not today - timedelta(days=OLD_DAYS_MAX) <= sent_on <= today + timedelta(days=1):
        raise Invalid(
            {"date": Words("must be a day of late, not in the future", "يجب أن يكون يوما قريبا")}
        )


async def list_transfers(call: Call, query: TransferQuery) -> Reply:
    """Transfers to verify, newest first, with what their payers showed."""
    statuses = {"shown": _OPEN, "awaited": _AWAITED, "all": _ALL}[query.show]
    found, total = await transfers.list_transfers(
        call.shop.db, call.store, list(statuses), query.limit, (query.page - 1) * query.limit
    )
    proofs: dict[str, list[Proof]] = {}
    ids = [payment.id for payment in found]
    for proof in await transfers.list_proofs(call.shop.db, call.store, ids) if ids else []:
        proofs.setdefault(proof.payment_id, []).append(proof)
    views = [_transfer_view(payment, proofs.get(payment.id, [])) for payment in found]
    return Reply(views, page=Page(query.page, query.limit, total))


async def read_image(call: Call) -> Raw:
    """The picture of a proof, for the store's people alone."""
    proof = await transfers.get_proof(call.shop.db, call.store, call.params["proof_id"])
    if proof.file_key is None:
        raise ProofNotFound()
    try:
        stored = await call.shop.files.find(proof.file_key)
    except FilesUnavailable as error:
        raise Unavailable() from error
    if stored is None:
        raise ProofNotFound()
    ending = proof.file_key.rpartition(".")[2]
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{proof.id}.{ending}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Raw(stored.content, proof.file_type or "application/octet-stream", headers=headers)


async def verify(call: Call, body: VerifyTransferBody) -> Reply:
    """The money is on the account."""
    if body.amount.dirhams == 0:
        raise Invalid({"amount": Words("must be above zero", "يجب أن يكون أكبر من صفر")})
    came = Came(
        amount_dirhams=body.amount.dirhams,
        bank_reference=body.bank_reference.reference,
        paid_on=body.date.day if body.date else None,
        note=body.note,
    )
    payment_id = call.params["payment_id"]
    payment = await verify_transfer.verify_transfer(
        call.shop, call.store, payment_id, came, call.actor
    )
    return await _transfer(call, payment)


async def reject(call: Call, body: RejectTransferBody) -> Reply:
    """No such money came."""
    payment_id = call.params["payment_id"]
    payment = await verify_transfer.reject_transfer(
        call.shop, call.store, payment_id, body.reason.strip(), call.actor
    )
    return await _transfer(call, payment)


async def settle(call: Call, body: SettleBody) -> Reply:
    """Say what became of a payment whose gateway cannot be asked."""
    if body.outcome == "paid" and body.provider_reference is None:
        words = Words("is needed where it was paid", "مطلوب عند تأكيد الدفع")
        raise Invalid({"providerReference": words})
    found = Finding(
        outcome=body.outcome, provider_reference=body.provider_reference, note=body.note.strip()
    )
    payment = await settle_payment.settle_payment(
        call.shop, call.store, call.params["payment_id"], found, call.actor
    )
    return Reply(_reviewed(payment))


async def list_to_review(call: Call, query: ReviewQuery) -> Reply:
    """Payments that people should look at, newest first."""
    found, total = await transfers.list_to_review(
        call.shop.db, call.store, query.limit, (query.page - 1) * query.limit
    )
    return Reply([_reviewed(one) for one in found], page=Page(query.page, query.limit, total))


async def _transfer(call: Call, payment: Payment) -> Reply:
    proofs = await transfers.list_proofs(call.shop.db, call.store, [payment.id])
    return Reply(_transfer_view(payment, proofs))


def _transfer_view(payment: Payment, proofs: list[Proof]) -> TransferView:
    return TransferView(
        id=payment.id,
        order_id=payment.order_id,
        method=payment.method,
        status=payment.status,
        amount=dinars(payment.amount_dirhams),
        reference=shown_reference(payment.reference),
        failure=payment.failure,
        review=payment.review,
        expires_at=payment.expires_at,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        proofs=[_proof_view(proof) for proof in proofs],
    )


def _proof_view(proof: Proof) -> ProofView:
    bank = bank_words(proof.bank)
    url = f"/api/stores/{proof.store_id}/proofs/{proof.id}/image" if proof.file_key else None
    return ProofView(
        id=proof.id,
        sender_name=proof.sender_name,
        bank=bank.ar,
        bank_en=bank.en,
        date=proof.sent_on,
        bank_reference=proof.bank_reference,
        image_url=url,
        created_at=proof.created_at,
    )


def _reviewed(payment: Payment) -> ReviewedPaymentView:
    return ReviewedPaymentView(
        id=payment.id,
        order_id=payment.order_id,
        method=payment.method,
        provider=payment.provider,
        reference=payment.reference,
        status=payment.status,
        review=payment.review,
        failure=payment.failure,
        amount=dinars(payment.amount_dirhams),
        created_at=payment.created_at,
        updated_at=payment.updated_at,
    )

"""Drafts of orders as values."""

from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words

Status = Literal["open", "placed", "deleted"]


class DraftItem(msgspec.Struct, frozen=True):
    """A position of a draft; the variant may be left out where a product has one."""

    product_id: int
    quantity: int
    variant_id: int | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the order so far; kept as JSON. The phone is E.164, the city a code."""

    items: tuple[DraftItem, ...] = ()
    customer_name: str | None = None
    customer_phone: str | None = None
    customer_email: str | None = None
    city_code: str | None = None
    area: str | None = None
    address: str | None = None
    shipping_notes: str | None = None
    shipping_method: str = "standard"
    payment_method: str | None = None
    coupon_code: str | None = None
    notes: str | None = None
    manual_discount_dirhams: int = 0
    shipping_override_dirhams: int | None = None

    @property
    def missing(self) -> list[str]:
        """Members without which it cannot be placed, as the API names them."""
        needed = {
            "items": self.items,
            "customer.name": self.customer_name,
            "customer.phone": self.customer_phone,
            "shipping.city": self.city_code,
            "shipping.address": self.address,
            "payment.method": self.payment_method,
        }
        return [name for name, value in needed.items() if not value]


class Draft(msgspec.Struct, frozen=True):
    """A draft's row: `body` is a `Content`, `note` the staff's own, `order_id` what it became,
    `customer_phone` the body's.
    """

    id: str
    store_id: int
    status: Status
    body: msgspec.Raw
    note: str | None
    created_by: str
    order_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int
    customer_phone: str | None = None

    def with_content(self, content: Content) -> "Draft":
        """The draft with this body; the phone stands beside it, to find the draft by."""
        body = msgspec.Raw(msgspec.json.encode(content))
        return msgspec.structs.replace(self, body=body, customer_phone=content.customer_phone)

    def without_buyer(self, at: datetime) -> "Draft":
        """The draft with nothing in it that names or finds a person; goods and city stay."""
        kept = msgspec.structs.replace(
            self.content(),
            customer_name=None,
            customer_phone=None,
            customer_email=None,
            area=None,
            address=None,
            shipping_notes=None,
            notes=None,
        )
        return msgspec.structs.replace(self.with_content(kept), note=None, updated_at=at)

    def content(self) -> Content:
        """The body read."""
        return msgspec.json.decode(self.body, type=Content)

    def check_open(self) -> None:
        """Raises `DraftClosed` unless it can still be changed and placed."""
        if self.status != "open":
            raise DraftClosed(details={"status": self.status, "orderId": self.order_id})


class DraftClosed(Conflict):
    """The draft was placed or deleted."""

    code = "DRAFT_CLOSED"
    words = Words("This draft was placed or deleted.", "تم تسجيل هذه المسودة أو حذفها.")


class DraftNotFound(NotFound):
    """No such draft in this store."""

    words = Words("There is no such draft.", "لا توجد مسودة بهذا الرقم.")

"""The row of a coupon or promotion, and what makes two codes the same. Pure."""

import re
from datetime import datetime

import msgspec

from eishro.domain.discounts.model import Kind, Rule, Scope
from eishro.errors import Conflict, NotFound, Words
from eishro.text import normalise, strip_marks

AUTOMATIC_MAX = 50  # active automatic promotions of a store that have not ended
COUPONS_MAX = 10_000  # of a store that are not deleted
SCOPE_IDS_MAX = 200  # products or categories that one list of a scope names
CODE_LENGTH_MAX = 40
LIMIT_MAX = 1_000_000_000  # uses
PIECES_MAX = 1_000  # bought or given in one use of buy X, get Y

# After `normalise`: Latin letters, digits, Arabic letters, and two signs that join words.
_CODE = re.compile(rf"[A-Z0-9_\-\u0621-\u063a\u0641-\u064a\u0671-\u06d3]{{2,{CODE_LENGTH_MAX}}}")


_MAY_BE_NONE = (
    "code",
    "code_key",
    "name",
    "buy_quantity",
    "get_quantity",
    "uses_per_order_max",
    "starts_at",
    "ends_at",
    "minimum_dirhams",
    "usage_limit",
    "per_customer_limit",
    "deleted_at",
)


class CodeTaken(Conflict):
    """The store has another coupon of this code."""

    words = Words("The store has a coupon with this code.", "يوجد في المتجر رمز تخفيض مطابق.")


class PromotionNotFound(NotFound):
    """No such coupon or promotion in this store."""

    words = Words("There is no such coupon or promotion.", "لا يوجد رمز تخفيض أو عرض كهذا.")


class Promotion(msgspec.Struct, frozen=True):
    """The row of a coupon or promotion; `scope` is a `Scope` as JSON, `code_key` what codes are
    compared by. Uses are counted in `used` only while there is a `usage_limit`.
    """

    id: str
    store_id: int
    code: str | None
    code_key: str | None
    name: str | None
    kind: Kind
    value: int
    buy_quantity: int | None
    get_quantity: int | None
    uses_per_order_max: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    minimum_dirhams: int | None
    scope: msgspec.Raw
    usage_limit: int | None
    per_customer_limit: int | None
    is_active: bool
    priority: int
    is_stackable: bool
    used: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    version: int

    @classmethod
    def blank(cls, promotion_id: str, store_id: int, at: datetime) -> "Promotion":
        """What a new one begins as: all goods, no limits, active."""
        return cls(
            id=promotion_id,
            store_id=store_id,
            kind="percent",
            value=0,
            scope=msgspec.Raw(msgspec.json.encode(Scope())),
            is_active=True,
            priority=0,
            is_stackable=True,
            used=0,
            created_at=at,
            updated_at=at,
            version=1,
            **dict.fromkeys(_MAY_BE_NONE),
        )

    def scope_value(self) -> Scope:
        """The scope, read."""
        return msgspec.json.decode(self.scope, type=Scope)

    def rule(self, used_by_customer: int = 0) -> Rule:
        """What the calculation looks at."""
        members = {
            name: getattr(self, name)
            for name in Rule.__struct_fields__
            if name not in ("scope", "used_by_customer")
        }
        return Rule(scope=self.scope_value(), used_by_customer=used_by_customer, **members)


def clean_code(text: str) -> str | None:
    """A code as the merchant may keep it, without what does not show; None: it is not one."""
    code = strip_marks(text).strip()
    return code if code.isprintable() and code_key(code) is not None else None


def code_key(text: str) -> str | None:
    """What codes are compared by: case, Arabic spelling and digits, and spaces do not matter.

    None if the text can be nobody's code. Example: `عيد ٢٠` gives `عيد20`, `eid-20` gives `EID-20`.
    """
    if len(text) > 2 * CODE_LENGTH_MAX:
        return None
    key = normalise(text).replace(" ", "").upper()
    return key if _CODE.fullmatch(key) else None

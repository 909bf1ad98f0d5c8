"""Products and variants as values."""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from eishro.errors import Conflict, NotFound, Words

VARIANTS_MAX = 100  # of one product
IMAGES_MAX = 20
OPTIONS_MAX = 50  # sizes, and colours
QUANTITY_MAX = 1_000_000  # pieces in stock of one variant
WEIGHT_GRAMS_MAX = 1_000_000  # of one piece: a tonne

Status = Literal["active", "draft", "archived"]


class Color(msgspec.Struct, frozen=True):
    """A colour as shown: its name and a CSS colour value."""

    name: str
    value: str | None = None


class Product(msgspec.Struct, frozen=True):
    """A product's row. `sells` is the merchant's own switch; `images` (list of text), `sizes`
    (list of text) and `colors` (list of `Color`) are JSON that is passed on as it is.
    """

    id: int
    store_id: int
    name: str
    name_en: str | None
    description: str | None
    description_en: str | None
    price_dirhams: int
    compare_at_dirhams: int | None
    images: msgspec.Raw
    sizes: msgspec.Raw
    colors: msgspec.Raw
    sells: bool
    status: Status
    created_at: datetime
    updated_at: datetime
    version: int
    weight_grams: int | None = None


class Variant(msgspec.Struct, frozen=True):
    """What is sold. `options` is a JSON object such as `{"size": "M", "color": "أحمر"}`;
    `price_dirhams` None means the product's price, `weight_grams` None the product's weight.
    """

    id: int
    store_id: int
    product_id: int
    sku: str | None
    options: msgspec.Raw
    price_dirhams: int | None
    position: int
    is_active: bool
    created_at: datetime
    version: int
    weight_grams: int | None = None


class ProductNotFound(NotFound):
    """No product of this id that the caller may see."""

    words = Words("There is no such product.", "لا يوجد منتج بهذا الرقم.")


class SkuTaken(Conflict):
    """The store uses this stock-keeping unit for another variant."""

    words = Words(
        "Another product of the store uses this SKU.", "رمز التخزين مستخدم لمنتج آخر في المتجر."
    )


def combinations(sizes: Sequence[str], colors: Sequence[str]) -> list[dict[str, str]]:
    """The options of one variant for each combination; one empty one where nothing varies."""
    axes = [("size", sizes), ("color", colors)]
    used = [(name, values) for name, values in axes if values]
    return [
        dict(zip([name for name, _ in used], choice, strict=True))
        for choice in itertools.product(*(values for _, values in used))
    ]

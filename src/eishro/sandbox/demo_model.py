"""What a demo store is made of, as values, and the short form in which they are written down."""

import itertools
from typing import Literal

import msgspec

Picture = Literal[
    # fashion
    "abaya", "bag", "cap", "dress", "jacket", "scarf", "shirt", "sneaker", "trousers", "tshirt",
    # jewellery
    "bangle", "brooch", "earrings", "necklace", "pearls", "ring", "solitaire", "watch",
    # electronics
    "camera", "charger", "headphones", "keyboard", "laptop", "mouse", "phone", "powerbank",
    "router", "screen", "speaker", "tablet",
    # cosmetics
    "brush", "dropper", "jar", "lipstick", "mascara", "palette", "perfume", "polish", "pump",
    "soap", "tube",
]  # fmt: skip

Stock = int | None


class DemoColor(msgspec.Struct, frozen=True):
    """A colour on offer: its Arabic name and a CSS hex value (`#rrggbb`)."""

    name: str
    value: str


class DemoCategory(msgspec.Struct, frozen=True):
    """A shelf of a demo store; `parent` is the slug of the shelf above, None at the top."""

    slug: str
    name: str
    name_en: str
    parent: str | None = None


class DemoVariant(msgspec.Struct, frozen=True):
    """What is sold. `stock` is pieces, None means untracked; `price_dirhams` None means the
    product's price; `size` and `color` (its name) are None where the product has none.
    """

    sku: str
    size: str | None
    color: str | None
    stock: Stock
    price_dirhams: int | None = None

    @property
    def options(self) -> dict[str, str]:
        """The options as the catalogue keeps them."""
        chosen = {"size": self.size, "color": self.color}
        return {name: value for name, value in chosen.items() if value is not None}


class DemoProduct(msgspec.Struct, frozen=True):
    """A product with one variant for each size and colour, sizes first.

    `picture` and `tint` say what `demo_images.draw_image` draws and in which colour where the
    product has no colours; `image_count` is how many images (variants 0, 1, …) it is shown with.
    """

    sku: str
    name: str
    name_en: str
    description: str
    description_en: str
    price_dirhams: int
    compare_at_dirhams: int | None
    categories: tuple[str, ...]
    sizes: tuple[str, ...]
    colors: tuple[DemoColor, ...]
    variants: tuple[DemoVariant, ...]
    picture: Picture
    tint: str
    image_count: int


class DemoStore(msgspec.Struct, frozen=True):
    """A whole demo store. `city` is a code of `domain.shipping.cities`, the phone E.164, and
    `backdrop` the two hex colours behind its pictures, light and dark.
    """

    slug: str
    kind: Literal["fashion", "jewellery", "electronics", "cosmetics"]
    name: str
    name_en: str
    description: str
    description_en: str
    contact_phone: str
    contact_email: str
    contact_address: str
    city: str
    shipping_rate_dirhams: int
    free_shipping_above_dirhams: int | None
    backdrop: tuple[str, str]
    categories: tuple[DemoCategory, ...]
    products: tuple[DemoProduct, ...]


def product(
    sku: str,
    names: tuple[str, str],
    about: tuple[str, str],
    price_dirhams: int,
    picture: Picture,
    *shelves: str,
    was: int | None = None,
    sizes: tuple[str, ...] = (),
    colors: tuple[DemoColor, ...] = (),
    stock: Stock | tuple[Stock, ...] = 10,
    surcharges: tuple[int, ...] = (),
    tint: str = "#b9bec6",
    images: int = 1,
) -> DemoProduct:
    """A product in the short form.

    Args:
        names, about: Arabic, English.
        shelves: slugs of its categories, the main one first.
        was: the price before a reduction, in dirhams.
        stock: of every variant, or a pattern repeated over the variants in their order.
        surcharges: dirhams on top of the price, one for each size; empty means none.
    """
    pattern = stock if isinstance(stock, tuple) else (stock,)
    extra = dict(zip(sizes, surcharges, strict=True)) if surcharges else {}
    choices: list[tuple[str | None, DemoColor | None]] = list(
        itertools.product(sizes or (None,), colors or (None,))
    )
    variants = tuple(
        DemoVariant(
            sku=f"{sku}-{number:02d}" if len(choices) > 1 else sku,
            size=size,
            color=color.name if color else None,
            stock=pattern[(number - 1) % len(pattern)],
            price_dirhams=price_dirhams + extra[size] if size and extra.get(size) else None,
        )
        for number, (size, color) in enumerate(choices, start=1)
    )
    return DemoProduct(
        sku=sku, name=names[0], name_en=names[1], description=about[0], description_en=about[1],
        price_dirhams=price_dirhams, compare_at_dirhams=was, categories=shelves, sizes=sizes,
        colors=colors, variants=variants, picture=picture, tint=tint, image_count=images,
    )  # fmt: skip

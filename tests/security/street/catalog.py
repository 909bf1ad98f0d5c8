"""Products."""

from typing import Any

from eishro.domain.catalog import sql as catalog
from eishro.flows.shop import Shop
from tests.security.street.step import MARK, STORE, Step, Street, Trespass

_SHELF = {"ours": "قمصان", "theirs": f"قمصان {MARK}"}
_VARIANTS = [{"options": {"size": "L"}, "sku": "ours-0", "stock": 4, "price": 30}]


def product(side: str, number: int) -> dict[str, Any]:
    mark = "" if side == "ours" else f" {MARK}"
    return {
        "name": f"قميص {number}{mark}",
        "price": 25.5,
        "category": _SHELF[side],
        "variants": [
            {"options": {"size": f"{size}{mark}"}, "sku": sku, "stock": 80}
            for size, sku in (("S", f"{side}-{number}"), ("L", f"{side}-{number}-L"))
        ],
    }


async def _find_skus(shop: Shop, street: Street) -> None:
    """What loading a demo store again asks."""
    wanted = ["ours-0", "theirs-0"]
    found = await catalog.find_skus(shop.db, street.ours["store"], wanted)
    if found != {"ours-0"}:
        raise Trespass(f"SKUs of the store: {found}")


STEPS = (
    Step("products", "GET", f"{STORE}/products"),
    Step("drafts", "GET", f"{STORE}/products?status=draft"),
    Step("shelf", "GET", f"{STORE}/products?category={{ours[category]}}&sort=price"),
    Step("products by word", "GET", f"{STORE}/products?q=قميص&sort=name"),
    Step("products in stock", "GET", f"{STORE}/products?inStock=true&sort=-price"),
    Step("product", "GET", "/api/products/{ours[product0]}"),
    # The neighbour's SKU is free here.
    Step("new product", "POST", f"{STORE}/products",
         {"name": "جديد", "price": 5, "category": _SHELF["ours"],
          "variants": [{"options": {"size": "S"}, "sku": "theirs-0", "stock": 3}]}, status=201),
    Step("SKU taken", "POST", f"{STORE}/products",
         {"name": "جديد", "price": 5,
          "variants": [{"options": {"size": "S"}, "sku": "ours-1"}]}, status=409),
    Step("change product", "PUT", "/api/products/{ours[product0]}", {"price": 31, "name": "قميص"}),
    Step("change variants", "PUT", "/api/products/{ours[product0]}", {"variants": _VARIANTS}),
    Step("change stock", "PUT", "/api/products/{ours[product1]}",
         {"variants": [{"options": {"size": "S"}, "stock": 2, "price": 7},
                       {"options": {"size": "L"}, "stock": None}]}),
    Step("move product", "PUT", "/api/products/{ours[product0]}", {"category": "أحذية"}),
    Step("change theirs", "PUT", "/api/products/{theirs[product0]}", {"price": 1}, status=403),
    Step("no product", "DELETE", "/api/products/{ours[product1]}"),
    Step("SKUs", job=_find_skus),
)  # fmt: skip

"""Coupons and promotions."""

from eishro.db.statements import Batch
from eishro.domain.discounts import sql as discounts
from eishro.domain.discounts import uses
from eishro.domain.discounts.model import Applied
from eishro.flows.shop import Shop
from tests.security.street.step import STORE, Step, Street

DISCOUNT = {"kind": "percent", "value": 10, "stackable": True}


async def _use_late(shop: Shop, street: Street) -> None:
    """A use counted for an order that is there already, so that each statement stands alone."""
    store, who = street.ours["store"], ("phone:+218912345678",)
    rule = await discounts.get_coupon(shop.db, store, "late")
    used = uses.use(Applied(rule, 100, frees_shipping=False), who, street.ours["pending order"])
    await shop.db.commit(Batch(*used))


STEPS = (
    Step("coupons", "GET", f"{STORE}/coupons"),
    Step("coupon", "GET", f"{STORE}/coupons/{{ours[coupon]}}"),
    Step("their coupon", "GET", f"{STORE}/coupons/{{theirs[coupon]}}", status=404),
    # The neighbour's second code is free here.
    Step("new coupon", "POST", f"{STORE}/coupons",
         {**DISCOUNT, "code": "EID1", "scope": {"kind": "products", "ids": ["{ours[product0]}"]}},
         status=201),
    Step("coupon for theirs", "POST", f"{STORE}/coupons",
         {**DISCOUNT, "code": "X1", "scope": {"kind": "products", "ids": ["{theirs[product0]}"]}},
         status=422),
    Step("coupon on their shelf", "POST", f"{STORE}/coupons",
         {**DISCOUNT, "code": "X1",
          "scope": {"kind": "categories", "ids": ["{theirs[category]}"]}}, status=422),
    Step("change coupon", "PUT", f"{STORE}/coupons/{{ours[coupon]}}", {"value": 20}),
    Step("change their coupon", "PUT", f"{STORE}/coupons/{{theirs[coupon]}}", {"value": 20},
         status=404),
    Step("no coupon", "DELETE", f"{STORE}/coupons/{{ours[coupon]}}"),
    Step("promotions", "GET", f"{STORE}/promotions"),
    Step("new promotion", "POST", f"{STORE}/promotions", {**DISCOUNT, "name": "x"}, status=201),
    Step("change promotion", "PUT", f"{STORE}/promotions/{{ours[promotion]}}", {"value": 20}),
    Step("not their promotion", "DELETE", f"{STORE}/promotions/{{theirs[promotion]}}",
         status=404),
    Step("use", job=_use_late),
)  # fmt: skip

"""What merchants, buyers and the gateway do in a story: each a call over HTTP."""

import itertools
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from tests.stories.command import Installation, wait_for

GOOD_CARD = "6394993077260781"
GOOD_EXPIRY = "10/27"
DECLINED_CARD = "6394990000000051"
OTP = "111111"

_numbers = itertools.count(1)

Json = dict[str, Any]


class Basket(msgspec.Struct, frozen=True):
    """A placed order, as its buyer knows it."""

    id: str
    token: str
    total: Decimal


class Story:
    """A running shop, its gateway's simulator, and who uses them."""

    def __init__(self, installation: Installation, shop_url: str, gateway_url: str) -> None:
        self.installation = installation
        self.shop_url = shop_url
        self.gateway_url = f"{gateway_url}/sandbox/moamalat"
        self.client = httpx.Client(base_url=shop_url, timeout=30, trust_env=False)
        self.gateway = httpx.Client(timeout=30, trust_env=False)

    def close(self) -> None:
        """Hang up."""
        self.client.close()
        self.gateway.close()

    # The merchant.

    def open_store(self) -> tuple[Json, dict[str, str]]:
        """A new merchant's store, and the header that speaks for the merchant."""
        number = next(_numbers)
        body = {
            "email": f"merchant{number}@example.ly",
            "password": "a long enough password",
            "accountType": "merchant",
            "store": {"name": f"متجر القصة {number}", "slug": f"story-{number}"},
        }
        joined = self.post("/api/auth/register", body)
        return joined["store"], {"Authorization": f"Bearer {joined['accessToken']}"}

    def add_product(self, store: Json, merchant: dict[str, str], **members: Any) -> Json:
        """A product; members as the API names them."""
        body = {"name": "قميص قطني", "price": 25.5, "stock": 10, **members}
        return self.post(f"/api/stores/{store['id']}/products", body, merchant)

    def product(self, **members: Any) -> Json:
        """A product of a new store."""
        return self.add_product(*self.open_store(), **members)

    # The buyer.

    def order(self, product: Json, quantity: int = 1) -> Basket:
        """An order of a guest."""
        placed = self.post(f"/api/stores/{product['storeId']}/orders", order_of(product, quantity))
        return Basket(placed["id"], placed["accessToken"], Decimal(str(placed["total"])))

    def read(self, basket: Basket) -> Json:
        """The order as its buyer sees it."""
        return self.get(f"/api/orders/{basket.id}", {"X-Order-Token": basket.token})

    def start_payment(self, basket: Basket, **members: Any) -> Json:
        """A new attempt to pay with a card."""
        return self.post(
            f"/api/orders/{basket.id}/payments",
            {"method": "moamalat", **members},
            {"X-Order-Token": basket.token},
        )

    def payment(self, payment: Json) -> Json:
        """The payment as it is now."""
        return self.get(f"/api/payments/{payment['id']}")

    def pay(self, payment: Json, card: str = GOOD_CARD) -> Json:
        """Pay in the gateway's form; what its window then tells the page."""
        body = {
            "request": payment["action"]["parameters"],
            "card": card,
            "expiry": GOOD_EXPIRY,
            "otp": OTP,
        }
        reply = self.gateway.post(f"{self.gateway_url}/pay", json=body)
        assert reply.status_code == 200, reply.text
        payload: Json = reply.json()["payload"]
        return payload

    def report(self, payment: Json, payload: Json) -> httpx.Response:
        """What the payer's page posts."""
        return self.client.post(f"/api/payments/{payment['id']}/result", json=payload)

    def wait_until_paid(self, basket: Basket) -> Json:
        """The order, paid and confirmed within the five seconds that the contract gives."""

        def paid() -> Json | None:
            order = self.read(basket)
            return order if order["paymentStatus"] == "paid" else None

        return wait_for(paid)

    # The gateway.

    def gateway_does(self, **faults: Any) -> None:
        """What the gateway does wrong from now on."""
        reply = self.gateway.put(f"{self.gateway_url}/faults", json=faults)
        assert reply.status_code == 200, reply.text

    # Plain calls.

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Json:
        """The data of a GET."""
        return _data(self.client.get(path, headers=headers, params=query))

    def list_(self, path: str, headers: dict[str, str] | None = None, **query: str) -> list[Json]:
        """The data of a GET that lists."""
        reply = self.client.get(path, headers=headers, params=query)
        assert reply.status_code == 200, reply.text
        found: list[Json] = reply.json()["data"]
        return found

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Json:
        """The data of a POST."""
        return _data(self.client.post(path, json=body, headers=headers))


def order_of(product: Json, quantity: int = 1) -> Json:
    """The JSON of an order for one product."""
    return {
        "items": [{"productId": product["id"], "quantity": quantity}],
        "customer": {"name": "فاطمة علي", "phone": "0912345678", "email": "buyer@example.ly"},
        "shipping": {"city": "طرابلس", "address": "شارع الجمهورية"},
        "payment": {"method": "moamalat"},
    }


def events_of(order: Json) -> list[str]:
    """The order's history in short."""
    return [entry["event"] for entry in order["history"]]


def _data(reply: httpx.Response) -> Json:
    assert reply.status_code in (200, 201), reply.text
    found: Json = reply.json()["data"]
    return found

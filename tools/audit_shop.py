"""What the audit's tools are let loose on: a whole server with demo data, people who are signed in,
addresses with parameters, and a door that is broken on purpose.
"""

import contextlib
import json
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx

# The tests know how to run a whole server; they are no package that is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers.ports import free_port
from tests.stories.command import Installation, ShopServer

PASSWORD = "an audited password"  # noqa: S105 - of a server that lives for minutes
_SETTINGS = {
    # Scanners ask thousands of times, from addresses they make up: nothing may slow them down.
    "EISHRO_TRUSTED_PROXIES": "127.0.0.1/32",
    "EISHRO_ACCESS_TOKEN_MINUTES": "1440",
    "EISHRO_LOG_FORMAT": "json",
}

Json = dict[str, Any]


class Target(NamedTuple):
    """A request with places to inject into: its parameters, or `*` where there is one.

    `only` names the parameters to try: sqlmap passes over what looks like a token, unless told.
    """

    name: str
    path: str
    body: Json | None = None
    headers: tuple[str, ...] = ()
    method: str = ""
    only: str = ""


class Shop:
    """A running server, its log, and requests to it."""

    def __init__(self, url: str, log: Path, password: str) -> None:
        self.url = url
        self._log = log
        self._seen = 0
        self._demo_password = password
        self._client = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def merchant(self, name: str) -> str:
        """The access token of a new merchant with a store."""
        joined = self.post(
            "/api/auth/register",
            {
                "email": f"{name}@example.ly",
                "password": PASSWORD,
                "accountType": "merchant",
                "store": {"name": "متجر الفحص", "slug": f"audit-{name}"},
            },
        )
        return str(joined["accessToken"])

    def demo(self, name: str) -> str:
        """The access token of somebody of the demo data."""
        body = {"email": f"{name}@demo.eishro.ly", "password": self._demo_password}
        return str(self.post("/api/auth/login", body)["accessToken"])

    def is_signed_in(self, token: str) -> bool:
        """Whether this access token still opens anything."""
        headers = {"Authorization": f"Bearer {token}"}
        return self._client.get("/api/auth/profile", headers=headers).status_code == 200

    def get(self, path: str) -> Any:
        """The `data` of an answer."""
        return self._client.get(path).raise_for_status().json()["data"]

    def post(self, path: str, body: Json) -> Any:
        """The `data` of an answer."""
        return self._client.post(path, json=body).raise_for_status().json()["data"]

    def new_faults(self) -> list[str]:
        """Lines of level error or worse that the server's log has gained since the last look."""
        lines = self._log.read_text(errors="replace").splitlines()
        new, self._seen = lines[self._seen :], len(lines)
        return [line for line in new if '"level":"error"' in line.replace(": ", ":")]


@contextlib.contextmanager
def running_shop() -> Iterator[Shop]:
    """`eishro dev` on a free port, with a folder of its own; both are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        server = ShopServer(Installation(Path(folder), _SETTINGS), "dev")
        server.start()
        try:
            password = (Path(folder) / "demo-password").read_text().strip()
            yield Shop(server.url, Path(folder) / "server.log", password)
        finally:
            server.stop()


def targets(shop: Shop) -> list[Target]:
    """Every kind of input that reaches a statement: queries, paths, headers, bodies, forms."""
    store = shop.get("/api/stores")[0]["slug"]
    product = shop.get(f"/api/stores/{store}/products?limit=1&inStock=true")[0]
    admin = (f"Authorization: Bearer {shop.demo('admin')}",)
    merchant = (f"Authorization: Bearer {shop.demo(store)}",)
    return [
        *_public(store, product["id"]),
        *_private(store, merchant, admin),
        *_bodies(store, product, merchant),
    ]


def _public(store: str, product: int) -> list[Target]:
    filters = "category=1&minPrice=1&maxPrice=900&inStock=true&sort=price&page=1&limit=5"
    return [
        Target("search", "/api/products/search?q=abc&sort=price"),
        Target("filters", f"/api/products?{filters}"),
        Target("store's products", f"/api/stores/{store}/products?q=a&status=active&cursor=99"),
        Target("slug", f"/api/stores/{store}*"),
        Target("slug of products", f"/api/stores/{store}*/products"),
        Target("product", f"/api/products/{product}*"),
        Target("stores", "/api/stores?page=1&limit=2"),
        Target("language", "/api/locations/cities", headers=("Accept-Language: ar*",)),
        Target("order", "/api/orders/ord_1*", headers=("X-Order-Token: abc*",)),
        Target("payment", "/api/payments/pay_1*"),
        Target("file", "/media/demo/a*"),
        Target("pages", "/reset-password?token=abc&lang=ar", only="token,lang"),
        Target("invitation", "/invitation?token=abc&lang=ar", only="token,lang"),
        Target("verification", "/verify-email?token=abc", only="token"),
        Target("token", "/api/auth/profile", headers=("Authorization: Bearer abc*",)),
        Target("key", f"/api/stores/{store}/orders", headers=("X-API-Key: abc*",)),
    ]


def _private(store: str, merchant: tuple[str, ...], admin: tuple[str, ...]) -> list[Target]:
    orders = "status=pending&paymentStatus=pending&q=a&from=2026-01-01&to=2026-12-31&limit=5"
    return [
        Target("orders", f"/api/stores/{store}/orders?{orders}", headers=merchant),
        Target("own orders", f"/api/orders?{orders}", headers=merchant),
        Target("store's trail", f"/api/stores/{store}/audit?limit=5&cursor=1", headers=merchant),
        Target("people", "/api/admin/users?email=a&page=1", headers=admin),
        Target("standings", "/api/admin/stores?standing=active&page=1", headers=admin),
        Target("trail", "/api/admin/audit?limit=5&cursor=1", headers=admin),
    ]


def _bodies(store: str, product: Json, merchant: tuple[str, ...]) -> list[Target]:
    basket: Json = {
        "items": [{"productId": product["id"], "quantity": 1}],
        "customer": {"name": "abc", "phone": "0912345678"},
        "shipping": {"city": "طرابلس", "address": "abc"},
        "payment": {"method": "moamalat"},
    }
    if product.get("variants"):
        basket["items"][0]["variantId"] = product["variants"][0]["id"]
    person = {"email": "abc@example.ly", "password": PASSWORD}
    return [
        Target("login", "/api/auth/login", person),
        Target("registration", "/api/auth/register", {**person, "firstName": "abc"}),
        Target("refresh", "/api/auth/refresh", {"refreshToken": "ses_1.abc"}, only="refreshToken"),
        Target(
            "reset",
            "/api/auth/reset-password",
            {"token": "abc", "password": PASSWORD},
            only="token,password",
        ),
        Target("quote", f"/api/stores/{store}/quote", basket),
        Target("placing an order", f"/api/stores/{store}/orders", basket),
        Target(
            "repeated order",
            f"/api/stores/{store}/orders",
            basket,
            headers=("Idempotency-Key: audit-key*",),
        ),
        Target(
            "new category",
            f"/api/stores/{store}/categories",
            {"name": "abc", "slug": "abc", "position": 1},
            merchant,
        ),
        Target(
            "changed product",
            f"/api/products/{product['id']}",
            {"name": "abc", "description": "abc"},
            merchant,
            "PUT",
        ),
        Target(
            "notification",
            "/api/webhooks/payments/moamalat",
            {"MerchantReference": "abc", "TerminalId": "1", "Amount": "1000"},
        ),
    ]


@contextlib.contextmanager
def broken_door() -> Iterator[str]:
    """The address of a search that pastes its words into its SQL: what a tool must find."""
    with HTTPServer(("127.0.0.1", free_port()), _Broken) as door:
        thread = threading.Thread(target=door.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.server_port}/search?q=shirt"
        finally:
            door.shutdown()
            thread.join()


class _Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        words = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
        database = sqlite3.connect(":memory:")
        database.execute("CREATE TABLE products (name TEXT)")
        database.execute("INSERT INTO products VALUES ('shirt'), ('scarf')")
        try:
            found = database.execute(
                f"SELECT name FROM products WHERE name = '{words}'"  # noqa: S608 - the bait
            ).fetchall()
        except sqlite3.Error as error:
            found = [(str(error),)]
        finally:
            database.close()
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

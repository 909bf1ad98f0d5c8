"""`eishro dev`: migrate, demo stores, server, payment sandbox and mail outbox in one go."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from eishro.app import open_shop
from eishro.cli import PORT, run_to_end
from eishro.cli.address import check_address, joined
from eishro.cli.environment import read_settings
from eishro.cli.seed import ADMIN_EMAIL, demo_password, merchant_email, seed_shop
from eishro.cli.server import run_server
from eishro.db import migrate
from eishro.domain.catalog import listing
from eishro.domain.catalog.listing import ProductFilter
from eishro.domain.stock import sql as stock
from eishro.domain.stores import sql as stores
from eishro.flows.shop import Shop
from eishro.sandbox.demo_catalogue import STORES
from eishro.settings import Settings


class Sample(msgspec.Struct, frozen=True):
    """Something of the demo stores that can be bought, for the printed requests."""

    store: str
    product_id: int
    variant_id: int


def run_dev(host: str, port: int | None, data: Path | None, *, reload: bool) -> None:
    """Prepare the data folder, print where everything is, serve.

    Raises:
        CannotListen: before anything is prepared.
    """
    if data is not None:
        os.environ["EISHRO_DATA_DIR"] = str(data)
    os.environ.setdefault("EISHRO_CORS_ORIGINS", "*")
    if port is None:
        port = _port_in(os.environ.get("EISHRO_PUBLIC_URL", "")) or PORT
    here = f"http://{joined(_reachable(host), port)}"
    # The server's process reads the same environment; links must lead back to this port.
    os.environ.setdefault("EISHRO_PUBLIC_URL", here)
    settings = read_settings(is_dev=True)
    check_address(host, port)
    sample = run_to_end(_prepare(settings))
    print(banner(settings, here, sample), flush=True)
    run_server(settings, "eishro.cli.application:create_dev", host, port, 1, reload=reload)


def _port_in(public_url: str) -> int | None:
    """The port that `http://…:port` names; behind https stands a proxy with a port of its own."""
    try:
        url = urlsplit(public_url)
        port = url.port
    except ValueError:
        return None  # read_settings names what is wrong with it
    return port if url.scheme == "http" else None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked up, not bound


async def _prepare(settings: Settings) -> Sample | None:
    async with open_shop(settings) as shop:
        before, _ = await migrate.migrate(shop.db)
        if before is None:
            print("Loading the demo stores (once) …", flush=True)
        await seed_shop(shop, demo_password(settings.data_dir))
        return await _sample(shop)


async def _sample(shop: Shop) -> Sample | None:
    """The first demo product with a variant in stock."""
    slug = STORES[0].slug
    store_id = await stores.find_store_id(shop.db, slug)
    found = await listing.list_cards(shop.db, ProductFilter(store_id=store_id, in_stock=True), 1, 0)
    for card in found:
        for row in await stock.list_stock(shop.db, [card.product_id]):
            if row.available is None or row.available > 0:
                return Sample(slug, card.product_id, row.variant_id)
    return None


def banner(settings: Settings, url: str, sample: Sample | None) -> str:
    """Where everything is, who can sign in, and three requests to copy.

    Args:
        url: where this server listens, as this machine reaches it.
    """
    public = settings.public_url
    password = demo_password(settings.data_dir)
    logins = [("platform admin", ADMIN_EMAIL)]
    logins += [(f"{store.name_en}", merchant_email(store)) for store in STORES]
    lines = [
        "",
        "EISHRO is running",
        f"  API          {url}/api/stores",
        f"  API docs     {url}/docs",
        f"  sandbox      {url}/sandbox        (test cards, mails)",
        f"  data folder  {settings.data_dir}",
        *([f"  links        {public} (EISHRO_PUBLIC_URL)"] if public != url else []),
        "",
        f"Demo logins, password {password}",
        *(f"  {who:<26} {email}" for who, email in logins),
        "",
        "Three requests to copy:",
        f"  curl -G '{url}/api/products/search' --data-urlencode 'q=قميص'",
        f"  curl '{url}/api/stores/{STORES[0].slug}/products?limit=3&inStock=true'",
    ]
    if sample is not None:
        lines.append(f"  curl -X POST '{url}/api/stores/{sample.store}/orders' \\")
        lines.append("    -H 'Content-Type: application/json' -d '" + _order(sample) + "'")
    return "\n".join([*lines, "", "Ctrl+C stops it.", ""])


def _order(sample: Sample) -> str:
    body = {
        "items": [{"productId": sample.product_id, "variantId": sample.variant_id, "quantity": 1}],
        "customer": {"name": "مريم سالم", "phone": "0912345678", "email": "maryam@example.ly"},
        "shipping": {"city": "طرابلس", "address": "حي الأندلس، شارع الجرابة"},
        "payment": {"method": "moamalat"},
    }
    return json.dumps(body, ensure_ascii=False)

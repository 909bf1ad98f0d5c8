"""The stories that the other profiles tell, told again on a Worker; and races for stock."""

import asyncio
import inspect
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from eishro.clock import SystemClock
from eishro.db.types import micros
from tests.edge.conftest import PATIENCE_SECONDS, EdgeStory, needs_platform
from tests.edge.platform import ROOT
from tests.stories import test_buying
from tests.stories.command import wait_for
from tests.stories.people import order_of

pytestmark = needs_platform

# The doctor is the operator's command; there is none on the edge.
_STORIES = [
    tell
    for name, tell in inspect.getmembers(test_buying, inspect.isfunction)
    if name.startswith("test_") and "doctor" not in name
]


def _hurry(story: EdgeStory, table: sa.Table, key: str, column: str) -> None:
    past = micros(SystemClock().now() - timedelta(seconds=1))
    story.platform.sql(f"UPDATE {table.name} SET {column} = ? WHERE id = ?", past, key)


@pytest.mark.parametrize("tell", _STORIES, ids=lambda tell: tell.__name__)
def test_on_the_edge(
    tell: Callable[[EdgeStory], None], story: EdgeStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_buying, "hurry", _hurry)
    monkeypatch.setattr(test_buying, "wait_for", partial(wait_for, seconds=PATIENCE_SECONDS))
    tell(story)


def _at_once(story: EdgeStory, requests: list[dict[str, Any]]) -> list[httpx.Response]:
    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(requests))
        async with httpx.AsyncClient(
            base_url=story.shop_url, timeout=120, trust_env=False, limits=limits
        ) as client:
            return await asyncio.gather(*(client.post(**request) for request in requests))

    return asyncio.run(send())


def test_fifty_buyers_of_ten_pieces_make_ten_orders(story: EdgeStory) -> None:
    product = story.product(stock=10)
    order = {"url": f"/api/stores/{product['storeId']}/orders", "json": order_of(product)}
    replies = _at_once(story, [order] * 50)
    assert Counter(reply.status_code for reply in replies) == {201: 10, 409: 40}
    codes = {reply.json()["error"]["code"] for reply in replies if reply.status_code == 409}
    assert codes == {"OUT_OF_STOCK"}
    count = "SELECT count(*) FROM orders WHERE store_id = ?"
    assert story.platform.sql(count, product["storeId"]) == [[10]]
    stock = "SELECT available, held, sold FROM stock WHERE product_id = ?"
    assert story.platform.sql(stock, product["id"]) == [[0, 10, 0]]


def test_one_key_fifty_times_makes_one_order(story: EdgeStory) -> None:
    product = story.product(stock=100)
    order = {
        "url": f"/api/stores/{product['storeId']}/orders",
        "json": order_of(product),
        "headers": {"Idempotency-Key": "one-key-for-fifty"},
    }
    replies = _at_once(story, [order] * 50)
    assert Counter(reply.status_code for reply in replies) == {201: 50}
    assert len({reply.content for reply in replies}) == 1
    count = "SELECT count(*) FROM orders WHERE store_id = ?"
    assert story.platform.sql(count, product["storeId"]) == [[1]]


def test_what_requests_cost_is_what_the_guide_says(story: EdgeStory) -> None:
    store, merchant = story.open_store()
    product = story.add_product(store, merchant, stock=100)
    slug = store["slug"]
    story.order(product)
    cost = {
        "product": story.platform.spent_by(lambda: story.get(f"/api/products/{product['id']}")),
        "search": story.platform.spent_by(lambda: story.list_("/api/products/search", q="قميص")),
        "list": story.platform.spent_by(lambda: story.list_(f"/api/stores/{slug}/products")),
        "order": story.platform.spent_by(lambda: story.order(product)),
    }
    guide = (ROOT / "docs" / "guide" / "cloudflare.md").read_text(encoding="utf-8")
    for name, spent in cost.items():
        said = re.search(rf"\| {name} \| at most (\d+) \| at most (\d+) \|", guide)
        assert said is not None, cost
        assert spent["statements"] <= int(said[1]) <= 50, cost  # 50: the free plan's invocation
        assert spent["rowsWritten"] <= int(said[2]), cost

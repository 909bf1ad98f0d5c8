"""Changing products while the shop sells: nothing is lost, half written or sold wrongly."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.statements import Query
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import ProductNotFound, SkuTaken
from eishro.domain.catalog.sql import product_search, products, variants
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import OutOfStock, Status
from eishro.domain.stock import sql as stock
from eishro.domain.stores import sql as stores
from eishro.errors import Conflict, Invalid, ShopError
from eishro.flows.change_order import cancel_order, change_status
from eishro.flows.edit_product import (
    ProductDraft,
    VariantDraft,
    archive_product,
    update_product,
)
from eishro.flows.product_card import ProductState, read_product
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

_COUNTS = {
    table.name: Query(sa.select(sa.func.count()).select_from(table), int, across_stores=True)
    for table in (products, variants, product_search, stock.stock)
}
_WAY: tuple[Status, ...] = ("confirmed", "processing", "shipped", "returned")
_ACTIONS = Query(
    sa.select(audit_records.c.action, audit_records.c.subject_id).order_by(audit_records.c.action),
    lambda action, subject: f"{action} {subject}",
    across_stores=True,
)


async def _store(world: World) -> int:
    merchant = await world.merchant()
    assert merchant.store is not None
    return merchant.store.id


async def _change(world: World, state: ProductState, draft: ProductDraft) -> ProductState:
    return await update_product(world.shop, state.product.id, draft, TESTER, lambda _: None)


def _draft(size: str, sku: str, **members: int) -> VariantDraft:
    draft = VariantDraft(options={"size": size}, sku=sku)
    return msgspec.structs.replace(draft, **members)


async def _rows(world: World) -> dict[str, int]:
    return {name: (await world.db.all(query))[0] for name, query in _COUNTS.items()}


async def test_changes_of_different_members_at_once_all_stay(world: World) -> None:
    state = await world.product(await _store(world), stock=5)
    await asyncio.gather(
        _change(world, state, ProductDraft(name="اسم جديد")),
        _change(world, state, ProductDraft(price_dirhams=30_000)),
        _change(world, state, ProductDraft(description="وصف")),
        _change(world, state, ProductDraft(stock=9)),
    )
    after = await read_product(world.shop, state.product.id)
    assert after.product.name == "اسم جديد"
    assert (after.product.price_dirhams, after.product.description) == (30_000, "وصف")
    assert after.stock[after.variants[0].id].available == 9
    assert after.product.version == state.product.version + 4


async def test_a_change_that_its_door_refuses_changes_nothing(world: World) -> None:
    state = await world.product(await _store(world))

    def refuse(seen: ProductState) -> None:
        assert seen.product.id == state.product.id
        raise Conflict()

    with pytest.raises(Conflict):
        await update_product(world.shop, state.product.id, ProductDraft(name="x"), TESTER, refuse)
    assert (await read_product(world.shop, state.product.id)).product == state.product


async def test_what_is_answered_is_what_is_read(world: World) -> None:
    state = await world.product(
        await _store(world), sizes=["S", "M"], stock=4, categories=["قمصان"]
    )
    assert await read_product(world.shop, state.product.id) == state
    after = await _change(
        world, state, ProductDraft(sizes=["S", "M", "L"], price_dirhams=1, stock=2)
    )
    assert await read_product(world.shop, state.product.id) == after


async def test_a_taken_sku_makes_no_half_product(world: World) -> None:
    store_id = await _store(world)
    await world.product(store_id, sku="A-1")
    before = await _rows(world)
    with pytest.raises(SkuTaken):
        await world.product(store_id, sku="A-1", categories=["قسم جديد"], stock=3)
    assert await _rows(world) == before
    assert await stores.list_categories(world.db, store_id) == []


async def test_stores_do_not_share_skus(world: World) -> None:
    for store_id in (await _store(world), await _store(world)):
        assert (await world.product(store_id, sku="A-1")).variants[0].sku == "A-1"


async def test_two_products_at_once_with_one_sku_are_one_product(world: World) -> None:
    store_id = await _store(world)
    outcomes = await asyncio.gather(
        *(world.product(store_id, sku="A-1") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, SkuTaken) for outcome in outcomes) == 4
    assert (await _rows(world))["products"] == 1


async def test_a_category_that_is_not_the_store_s_is_refused_whole(world: World) -> None:
    store_id, other_id = await _store(world), await _store(world)
    foreign = (await world.product(other_id, categories=["قمصان"])).categories[0]
    state = await world.product(store_id)
    with pytest.raises(Invalid):
        await _change(world, state, ProductDraft(name="x", categories=[foreign.id]))
    with pytest.raises(Invalid):
        await world.product(store_id, categories=["قسم جديد", 999_999])
    assert (await read_product(world.shop, state.product.id)).product == state.product
    assert await stores.list_categories(world.db, store_id) == []


async def test_one_name_in_two_spellings_is_one_category(world: World) -> None:
    state = await world.product(await _store(world), categories=["أحذية", "احذيه", "أَحذِية"])
    assert [category.name for category in state.categories] == ["أحذية"]
    assert len(await stores.list_categories(world.db, state.product.store_id)) == 1


async def test_the_first_category_is_the_main_one_and_the_order_can_change(world: World) -> None:
    state = await world.product(await _store(world), categories=["أ", "ب", "ج"])
    names = [category.name for category in state.categories]
    after = await _change(world, state, ProductDraft(categories=list(reversed(names))))
    assert [category.name for category in after.categories] == ["ج", "ب", "أ"]
    assert (await read_product(world.shop, state.product.id)).categories == after.categories


async def test_an_order_of_a_retired_variant_lives_on(world: World) -> None:
    state = await world.product(await _store(world), sizes=["S", "M"], stock=5)
    sent = (await world.order(state, quantity=2, method="cod")).order
    dropped = (await world.order(state, quantity=1, method="cod")).order
    await _change(world, state, ProductDraft(sizes=["M", "L"]))
    with pytest.raises(ShopError):
        await world.order(state)  # the small one is sold no more
    for to in _WAY:
        await change_status(world.shop, sent.id, to, TESTER)
    await cancel_order(world.shop, dropped.id, TESTER, only_pending=False)
    (line,) = await orders.list_lines(world.db, [sent.id])
    assert line.variant_id == state.variants[0].id
    rows = {r.variant_id: r for r in await stock.list_stock(world.db, [state.product.id])}
    assert (rows[line.variant_id].available, rows[line.variant_id].held) == (5, 0)
    assert await find_faults(world.db) == []


async def test_a_variant_that_comes_back_is_a_new_one_with_a_count_of_its_own(
    world: World,
) -> None:
    state = await world.product(await _store(world), sizes=["S", "M"], stock=5)
    await _change(world, state, ProductDraft(sizes=["M"]))
    back = await _change(world, state, ProductDraft(sizes=["S", "M"], stock=8))
    ids = {v.id for v in state.variants}
    (fresh,) = [v for v in back.variants if v.id not in ids]
    assert back.stock[fresh.id].available == 8
    assert await find_faults(world.db) == []


async def test_a_retired_variant_s_sku_is_free_again(world: World) -> None:
    state = await world.product(
        await _store(world), variants=[_draft("S", "A-S"), _draft("M", "A-M")]
    )
    await _change(world, state, ProductDraft(variants=[_draft("M", "A-M")]))
    after = await _change(
        world, state, ProductDraft(variants=[_draft("M", "A-M"), _draft("L", "A-S")])
    )
    assert [variant.sku for variant in after.variants] == ["A-M", "A-S"]


async def test_a_variant_s_own_price_and_stock_change_alone(world: World) -> None:
    state = await world.product(
        await _store(world), variants=[_draft("S", "A-S", stock=3), _draft("M", "A-M", stock=4)]
    )
    after = await _change(
        world,
        state,
        ProductDraft(variants=[_draft("S", "A-S", price_dirhams=19_000), _draft("M", "A-M")]),
    )
    assert [variant.price_dirhams for variant in after.variants] == [19_000, None]
    assert [after.stock[variant.id].available for variant in after.variants] == [3, 4]
    assert (await world.order(after)).order.subtotal_dirhams == 19_000


async def test_the_merchant_counts_what_is_on_the_shelf_while_orders_hold_pieces(
    world: World,
) -> None:
    state = await world.product(await _store(world), stock=10)
    order = (await world.order(state, quantity=4, method="cod")).order
    counted = await _change(world, state, ProductDraft(stock=20))
    row = counted.stock[state.variants[0].id]
    assert (row.available, row.held) == (20, 4)
    await cancel_order(world.shop, order.id, TESTER, only_pending=False)
    (row,) = await stock.list_stock(world.db, [state.product.id])
    assert (row.available, row.held) == (24, 0)
    assert await find_faults(world.db) == []


async def test_tracking_can_stop_and_begin_again_under_living_orders(world: World) -> None:
    state = await world.product(await _store(world), stock=3)
    living = [(await world.order(state, method="cod")).order.id]
    await _change(world, state, ProductDraft(stock=None))
    living.append((await world.order(state, quantity=50, method="cod")).order.id)
    await _change(world, state, ProductDraft(stock=2))
    living.append((await world.order(state, quantity=2, method="cod")).order.id)
    with pytest.raises(OutOfStock):
        await world.order(state)
    assert await find_faults(world.db) == []
    for order_id in living:
        await cancel_order(world.shop, order_id, TESTER, only_pending=False)
    (row,) = await stock.list_stock(world.db, [state.product.id])
    assert row.held == 0
    assert await find_faults(world.db) == []


async def test_counting_while_buyers_buy_loses_no_piece(world: World) -> None:
    """Every count is of a moment between two sales: what is left is the count less what came
    after it, and never below nothing."""
    state = await world.product(await _store(world), stock=20)

    async def count() -> None:
        for pieces in (30, 15, 25):
            await _change(world, state, ProductDraft(stock=pieces))

    outcomes = await asyncio.gather(
        count(), *(world.order(state, method="cod") for _ in range(25)), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    placed = sum(not isinstance(outcome, BaseException) for outcome in outcomes[1:])
    (row,) = await stock.list_stock(world.db, [state.product.id])
    assert row.available is not None
    assert (row.available >= 0, row.held) == (True, placed)
    assert await find_faults(world.db) == []


async def test_nothing_is_sold_of_a_product_that_has_been_archived(world: World) -> None:
    state = await world.product(await _store(world), stock=50)
    outcomes = await asyncio.gather(
        *(world.order(state) for _ in range(10)),
        archive_product(world.shop, state.product.id, TESTER),
        *(world.order(state) for _ in range(10)),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, ShopError):
            raise outcome
    assert (await catalog.get_product(world.db, state.product.id)).status == "archived"
    with pytest.raises(ShopError):
        await world.order(state)
    assert await find_faults(world.db) == []


async def test_archiving_at_once_from_many_sides_happens_once(world: World) -> None:
    state = await world.product(await _store(world))
    done = await asyncio.gather(
        *(archive_product(world.shop, state.product.id, TESTER) for _ in range(6))
    )
    assert {product.status for product in done} == {"archived"}
    actions = await world.db.all(_ACTIONS)
    assert actions.count(f"product.archived {state.product.id}") == 1


async def test_every_change_is_in_the_trail(world: World) -> None:
    state = await world.product(await _store(world))
    number = state.product.id
    await _change(world, state, ProductDraft(name="x", stock=3))
    await archive_product(world.shop, number, TESTER)
    assert [a for a in await world.db.all(_ACTIONS) if a.startswith("product.")] == [
        f"product.archived {number}",
        f"product.changed {number}",
        f"product.created {number}",
    ]


async def test_what_does_not_exist_cannot_be_changed(world: World) -> None:
    with pytest.raises(ProductNotFound):
        await archive_product(world.shop, 999_999, TESTER)
    with pytest.raises(ProductNotFound):
        await update_product(world.shop, 999_999, ProductDraft(), TESTER, lambda _: None)

"""Changing stores and categories from several sides at once; limits; the trail."""

import asyncio

import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.statements import Query
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import (
    CATEGORIES_MAX,
    Category,
    CategoryInUse,
    CategoryNotFound,
    SlugTaken,
    Store,
    StoreNotFound,
    StoreSettings,
)
from eishro.errors import Conflict, Invalid, NotFound, ShopError
from eishro.flows.edit_store import (
    CategoryChange,
    StoreChange,
    create_category,
    delete_category,
    update_category,
    update_store,
)
from eishro.flows.open_store import NewStore, open_store
from eishro.flows.shop import NotOnce, Rules
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

_TRAIL = Query(
    sa.select(audit_records.c.action, audit_records.c.subject_id).order_by(audit_records.c.id),
    lambda action, subject: f"{action} {subject}",
    across_stores=True,
)


async def _store(world: World) -> Store:
    merchant = await world.merchant()
    assert merchant.store is not None
    return merchant.store


async def _change(world: World, store: Store, change: StoreChange) -> Store:
    return await update_store(world.shop, store.id, change, TESTER, lambda _: None)


async def _category(world: World, store: Store, name: str, **members: object) -> Category:
    change = CategoryChange(name=name, **members)  # type: ignore[arg-type]
    return await create_category(world.shop, store.id, change, TESTER, NotOnce())


async def test_changes_of_different_members_at_once_all_stay(world: World) -> None:
    store = await _store(world)
    await asyncio.gather(
        _change(world, store, StoreChange(name="اسم جديد")),
        _change(world, store, StoreChange(description="وصف")),
        _change(world, store, StoreChange(slug="another-slug")),
        _change(world, store, StoreChange(settings=StoreSettings(shipping_rate_dirhams=1))),
    )
    after = await stores.get_store(world.db, store.id)
    assert (after.name, after.description, after.slug) == ("اسم جديد", "وصف", "another-slug")
    assert after.settings_value().shipping_rate_dirhams == 1
    assert after.version == store.version + 4
    assert after.owner_id == store.owner_id


async def test_what_is_answered_is_what_is_read(world: World) -> None:
    store = await _store(world)
    after = await _change(world, store, StoreChange(name="x", is_active=False))
    assert await stores.get_store(world.db, store.id) == after


async def test_a_slug_wanted_by_two_stores_at_once_goes_to_one(world: World) -> None:
    both = [await _store(world) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(_change(world, store, StoreChange(slug="the-best")) for store in both),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, SlugTaken) for outcome in outcomes) == 3
    winner = await stores.find_store_id(world.db, "the-best")
    assert winner in {store.id for store in both}


async def test_stores_opened_at_once_under_one_name_get_slugs_of_their_own(world: World) -> None:
    merchants = [await world.merchant(store=False) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(
            open_store(world.shop, NewStore(name="Rose"), m.user.id, TESTER, NotOnce())
            for m in merchants
        ),
        return_exceptions=True,
    )
    slugs = [outcome.slug for outcome in outcomes if isinstance(outcome, Store)]
    assert len(set(slugs)) == len(slugs) >= 1
    assert all(isinstance(o, Store | SlugTaken) for o in outcomes), "and nothing worse"


async def test_one_merchant_opening_twice_at_once_has_one_store(world: World) -> None:
    merchant = await world.merchant(store=False)
    outcomes = await asyncio.gather(
        *(
            open_store(world.shop, NewStore(name=f"x{n}"), merchant.user.id, TESTER, NotOnce())
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Store) for outcome in outcomes) == 1
    _, total = await stores.list_active_stores(world.db, 10, 0)
    assert total == 1, "what was refused left nothing behind"


async def test_where_stores_need_approval_a_new_one_is_closed(world: World) -> None:
    merchant = await world.merchant(store=False)
    careful = changed(world.shop, rules=Rules(public_url="http://shop.test", store_approval=True))
    store = await open_store(careful, NewStore(name="x"), merchant.user.id, TESTER, NotOnce())
    assert store.is_active is False
    with pytest.raises(StoreNotFound):
        await world.order(await world.product(store.id))


async def test_a_change_that_its_door_refuses_changes_nothing(world: World) -> None:
    store = await _store(world)

    def refuse(seen: Store) -> None:
        assert seen == store
        raise Conflict()

    with pytest.raises(Conflict):
        await update_store(world.shop, store.id, StoreChange(name="x"), TESTER, refuse)
    assert await stores.get_store(world.db, store.id) == store


async def test_a_method_the_platform_lacks_changes_nothing(world: World) -> None:
    store = await _store(world)
    change = StoreChange(name="x", settings=StoreSettings(payment_methods=("cod", "paypal")))
    with pytest.raises(Invalid):
        await _change(world, store, change)
    assert await stores.get_store(world.db, store.id) == store


async def test_an_order_pays_one_of_the_delivery_prices_that_held(world: World) -> None:
    store = await _store(world)
    state = await world.product(store.id, price=10_000)
    rates = [1_000, 2_000, 3_000]

    async def reprice() -> None:
        for rate in rates:
            settings = StoreSettings(shipping_rate_dirhams=rate)
            await _change(world, store, StoreChange(settings=settings))

    outcomes = await asyncio.gather(
        reprice(), *(world.order(state) for _ in range(25)), return_exceptions=True
    )
    for outcome in outcomes[1:]:
        if isinstance(outcome, ShopError):
            continue
        assert not isinstance(outcome, BaseException), outcome
        assert outcome is not None
        assert outcome.order.shipping_dirhams in [10_000, *rates]
        assert outcome.order.total_dirhams == 10_000 + outcome.order.shipping_dirhams
    assert (await world.order(state)).order.shipping_dirhams == 3_000
    assert await find_faults(world.db) == []


async def test_a_category_s_slug_is_its_own_in_its_store_alone(world: World) -> None:
    store, other = await _store(world), await _store(world)
    first = await _category(world, store, "أحذية", slug="shoes")
    assert (await _category(world, other, "أحذية", slug="shoes")).slug == "shoes"
    with pytest.raises(SlugTaken):
        await _category(world, store, "x", slug="shoes")
    second = await _category(world, store, "قمصان")
    with pytest.raises(SlugTaken):
        await update_category(world.shop, store.id, second.id, CategoryChange(slug="shoes"), TESTER)
    same = CategoryChange(slug="shoes", name="أحذية جديدة")
    assert (
        await update_category(world.shop, store.id, first.id, same, TESTER)
    ).name == "أحذية جديدة"


async def test_two_categories_of_one_name_get_two_slugs(world: World) -> None:
    store = await _store(world)
    made = [await _category(world, store, "قمصان") for _ in range(3)]
    assert len({category.slug for category in made}) == 3


async def test_changes_of_a_category_at_once_all_stay(world: World) -> None:
    store = await _store(world)
    category = await _category(world, store, "قمصان")
    changes = (
        CategoryChange(name="أحذية"),
        CategoryChange(name_en="x"),
        CategoryChange(position=7),
    )
    await asyncio.gather(
        *(update_category(world.shop, store.id, category.id, c, TESTER) for c in changes)
    )
    after = await stores.get_category(world.db, store.id, category.id)
    assert (after.name, after.name_en, after.position) == ("أحذية", "x", 7)


async def test_a_category_moves_anywhere_but_below_itself(world: World) -> None:
    store = await _store(world)
    a = await _category(world, store, "a")
    b = await _category(world, store, "b", parent_id=a.id)
    c = await _category(world, store, "c", parent_id=b.id)
    for below in (a, b, c):
        with pytest.raises(Invalid):
            await update_category(
                world.shop, store.id, a.id, CategoryChange(parent_id=below.id), TESTER
            )
    await update_category(world.shop, store.id, c.id, CategoryChange(parent_id=a.id), TESTER)
    await update_category(world.shop, store.id, b.id, CategoryChange(parent_id=c.id), TESTER)
    found = {x.id: x.parent_id for x in await stores.list_categories(world.db, store.id)}
    assert found == {a.id: None, c.id: a.id, b.id: c.id}


async def test_a_store_has_a_limit_of_categories(world: World) -> None:
    merchant = await world.merchant(store=False)
    names = tuple(f"c{number}" for number in range(CATEGORIES_MAX - 1))
    new = NewStore(name="x", categories=names)
    store = await open_store(world.shop, new, merchant.user.id, TESTER, NotOnce())
    await _category(world, store, "the last one")
    with pytest.raises(Invalid):
        await _category(world, store, "one too many")
    assert len(await stores.list_categories(world.db, store.id, 1000)) == CATEGORIES_MAX


async def test_a_branch_is_not_deleted_and_a_leaf_only_once(world: World) -> None:
    store = await _store(world)
    top = await _category(world, store, "a")
    leaf = await _category(world, store, "b", parent_id=top.id)
    with pytest.raises(CategoryInUse):
        await delete_category(world.shop, store.id, top.id, TESTER)
    outcomes = await asyncio.gather(
        *(delete_category(world.shop, store.id, leaf.id, TESTER) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Category) for outcome in outcomes) == 1
    assert all(isinstance(o, Category | NotFound | Conflict) for o in outcomes)
    assert [c.id for c in await stores.list_categories(world.db, store.id)] == [top.id]


async def test_another_store_s_category_cannot_be_touched(world: World) -> None:
    store, other = await _store(world), await _store(world)
    category = await _category(world, other, "قمصان")
    with pytest.raises(CategoryNotFound):
        await update_category(world.shop, store.id, category.id, CategoryChange(name="x"), TESTER)
    with pytest.raises(CategoryNotFound):
        await delete_category(world.shop, store.id, category.id, TESTER)
    with pytest.raises(Invalid):
        await _category(world, store, "x", parent_id=category.id)
    assert await stores.get_category(world.db, other.id, category.id) == category


async def test_every_change_is_in_the_trail(world: World) -> None:
    store = await _store(world)
    await _change(world, store, StoreChange(name="x"))
    category = await _category(world, store, "قمصان")
    await update_category(world.shop, store.id, category.id, CategoryChange(name="y"), TESTER)
    await delete_category(world.shop, store.id, category.id, TESTER)
    trail = await world.db.all(_TRAIL)
    assert sorted(entry for entry in trail if not entry.startswith("user.")) == [
        f"category.changed {category.id}",
        f"category.created {category.id}",
        f"category.deleted {category.id}",
        f"store.changed {store.id}",
        f"store.opened {store.id}",
    ]

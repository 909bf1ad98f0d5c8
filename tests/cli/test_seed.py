"""`eishro seed`: the demo stores, loaded once through the flows that merchants use."""

import importlib
import stat
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.cli.seed import ADMIN_EMAIL, demo_password, merchant_email, seed_shop
from eishro.db.rows import columns_of
from eishro.db.statements import Query
from eishro.domain.catalog.model import Product
from eishro.domain.catalog.sql import products
from eishro.domain.shipping import zones_sql
from eishro.domain.stock import sql as stock
from eishro.domain.stores import sql as stores
from eishro.errors import Unavailable
from eishro.flows.edit_product import create_product
from eishro.flows.edit_zones import delete_zone
from eishro.flows.sign_in import Device, login
from eishro.sandbox.demo_catalogue import STORES
from eishro.sandbox.demo_model import DemoStore
from eishro.sandbox.demo_zones import zones_of
from tests.shops import TESTER, World

pytestmark = pytest.mark.anyio

_PRODUCTS = Query(
    sa.select(*columns_of(products, Product))
    .where(products.c.store_id == sa.bindparam("store_id"))
    .order_by(products.c.id),
    Product,
)
# The package has a command of the module's name.
_SEED = importlib.import_module("eishro.cli.seed")


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes seconds and has tests of its own."""
    monkeypatch.setattr(_SEED, "draw_image", lambda *_, **__: b"RIFF")


async def _products(world: World, demo: DemoStore) -> list[Product]:
    store_id = await stores.find_store_id(world.db, demo.slug)
    return await world.db.all(_PRODUCTS, store_id=store_id)


async def test_what_is_written_down_is_what_is_on_sale(world: World) -> None:
    await seed_shop(world.shop, "demo-password")
    for demo in STORES:
        store_id = await stores.find_store_id(world.db, demo.slug)
        assert store_id is not None
        shelves = await stores.list_categories(world.db, store_id)
        assert {c.slug for c in shelves} == {c.slug for c in demo.categories}
        by_id = {c.id: c.slug for c in shelves}
        assert {c.slug: by_id.get(c.parent_id or 0) for c in shelves} == {
            c.slug: c.parent for c in demo.categories
        }
        found = {product.name: product for product in await _products(world, demo)}
        assert set(found) == {product.name for product in demo.products}
        for wanted in demo.products:
            product = found[wanted.name]
            assert product.price_dirhams == wanted.price_dirhams
            rows = await stock.list_stock(world.db, [product.id])
            assert Counter(row.available for row in rows) == Counter(
                variant.stock for variant in wanted.variants
            )
        zones = await zones_sql.list_zones(world.db, store_id)
        assert [zone.name_en for zone in zones] == [zone.name_en for zone in zones_of(demo)]
        # Its own account, so that its merchant says what has come there.
        account = (await stores.get_store(world.db, store_id)).settings_value().transfer_account
        assert account is not None
        assert account.beneficiary == demo.name
    assert await find_faults(world.db) == []


async def test_zones_of_its_merchant_s_own_stay_as_they_are(world: World) -> None:
    await seed_shop(world.shop, "demo-password")
    store_id = await stores.find_store_id(world.db, STORES[0].slug)
    assert store_id is not None
    south = (await zones_sql.list_zones(world.db, store_id))[-1]
    assert south.places == ("south",)
    await delete_zone(world.shop, store_id, south.id, TESTER)
    await world.zone(store_id, "south", dirhams=1)
    before = await zones_sql.list_zones(world.db, store_id)
    await seed_shop(world.shop, "demo-password")
    assert await zones_sql.list_zones(world.db, store_id) == before


async def test_every_picture_of_a_demo_product_is_in_the_files(world: World) -> None:
    await seed_shop(world.shop, "demo-password")
    for demo in STORES:
        for product in await _products(world, demo):
            for image in msgspec.json.decode(product.images, type=list[str]):
                file = await world.shop.files.find(image.removeprefix("/"))
                assert file is not None, image


async def test_the_demo_users_sign_in_with_the_kept_password(world: World) -> None:
    await seed_shop(world.shop, "demo-password")
    for email, role in [(ADMIN_EMAIL, "admin")] + [(merchant_email(s), "merchant") for s in STORES]:
        signed_in = await login(world.shop, world.tokens, email, "demo-password", Device("", ""))
        assert signed_in.user.role == role
        assert (signed_in.store is not None) is (role == "merchant")


async def test_a_load_that_broke_off_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    async def breaks(*arguments: object) -> object:
        nonlocal made
        made += 1
        if made == 7:
            raise Unavailable()
        return await create_product(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_SEED, "create_product", breaks)
    with pytest.raises(Unavailable):
        await seed_shop(world.shop, "demo-password")
    half = await _products(world, STORES[0])
    assert len(half) == 6
    await seed_shop(world.shop, "demo-password")
    assert {p.id for p in half} <= {p.id for p in await _products(world, STORES[0])}
    for demo in STORES:
        names = Counter(product.name for product in await _products(world, demo))
        assert names == Counter(product.name for product in demo.products)


async def test_loading_again_makes_nothing_and_says_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await seed_shop(world.shop, "demo-password")
    first = capsys.readouterr().out
    assert all(demo.name_en in first for demo in STORES)
    before = [await _products(world, demo) for demo in STORES]
    await seed_shop(world.shop, "another password")
    assert capsys.readouterr().out == ""
    assert [await _products(world, demo) for demo in STORES] == before
    await login(world.shop, world.tokens, ADMIN_EMAIL, "demo-password", Device("", ""))


def test_the_demo_password_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    password = demo_password(folder)
    assert password == demo_password(folder)
    assert len(password) >= 10
    assert stat.S_IMODE((folder / "demo-password").stat().st_mode) == 0o600
    assert demo_password(tmp_path / "other") != password

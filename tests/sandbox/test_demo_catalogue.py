"""The demo stores are complete, consistent and pleasant to look at."""

import io
import re
import time
from collections import Counter

import pytest
from PIL import Image, ImageStat

from eishro.domain.catalog.model import VARIANTS_MAX, combinations
from eishro.domain.shipping.cities import CITIES
from eishro.money import DIRHAMS_MAX
from eishro.phones import normalise_mobile
from eishro.sandbox.demo_catalogue import STORES, DemoProduct, DemoStore, DemoVariant
from eishro.sandbox.demo_images import draw_image
from eishro.sandbox.demo_pictures import PICTURES
from eishro.text import slugify

PRODUCTS = [(store, product) for store in STORES for product in store.products]
ARABIC = re.compile("[\u0621-\u064a]")
HEX = re.compile("#[0-9a-f]{6}")


def _variants() -> list[DemoVariant]:
    return [variant for _, product in PRODUCTS for variant in product.variants]


def test_there_are_four_stores_of_four_kinds_with_enough_goods() -> None:
    assert {store.kind for store in STORES} == {
        "fashion", "jewellery", "electronics", "cosmetics",
    }  # fmt: skip
    assert all(len(store.products) >= 15 for store in STORES)
    assert len(PRODUCTS) >= 64


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.slug)
def test_a_store_has_everything_its_page_shows(store: DemoStore) -> None:
    assert store.slug == slugify(store.slug)
    assert ARABIC.search(store.name)
    assert ARABIC.search(store.description)
    assert store.name_en.isascii()
    assert store.description_en.isascii()
    assert normalise_mobile(store.contact_phone) == store.contact_phone
    # The reserved top-level domain: no mail of a demo ever reaches anybody.
    assert store.contact_email.endswith(".example")
    assert store.city in {city.code for city in CITIES}
    assert store.shipping_rate_dirhams > 0


def test_slugs_and_stock_keeping_units_are_unique() -> None:
    assert len({store.slug for store in STORES}) == len(STORES)
    skus = Counter(variant.sku for variant in _variants())
    assert [sku for sku, times in skus.items() if times > 1] == []
    assert len({product.sku for _, product in PRODUCTS}) == len(PRODUCTS)
    assert len({product.name for _, product in PRODUCTS}) == len(PRODUCTS)


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.slug)
def test_categories_form_a_tree_and_none_is_empty(store: DemoStore) -> None:
    seen: set[str] = set()
    for category in store.categories:
        assert category.slug == slugify(category.slug)
        assert category.slug not in seen
        assert category.parent is None or category.parent in seen  # parents come first
        assert ARABIC.search(category.name)
        assert category.name_en.isascii()
        seen.add(category.slug)
    assert any(category.parent for category in store.categories)
    used = {slug for product in store.products for slug in product.categories}
    parents = {category.parent for category in store.categories}
    assert seen - parents <= used <= seen


@pytest.mark.parametrize("product", [p for _, p in PRODUCTS], ids=lambda product: product.sku)
def test_a_product_is_complete(product: DemoProduct) -> None:
    assert ARABIC.search(product.name)
    assert ARABIC.search(product.description)
    assert product.name_en.isascii()
    assert product.description_en.isascii()
    assert product.categories
    assert 0 < product.price_dirhams < DIRHAMS_MAX
    assert product.compare_at_dirhams is None or product.compare_at_dirhams > product.price_dirhams
    assert all(HEX.fullmatch(color.value) for color in product.colors)
    assert HEX.fullmatch(product.tint)
    assert product.image_count >= 1


@pytest.mark.parametrize("product", [p for _, p in PRODUCTS], ids=lambda product: product.sku)
def test_variants_are_the_combinations_of_sizes_and_colours(product: DemoProduct) -> None:
    expected = combinations(product.sizes, [color.name for color in product.colors])
    assert [variant.options for variant in product.variants] == expected
    assert len(product.variants) <= VARIANTS_MAX
    for variant in product.variants:
        assert variant.stock is None or variant.stock >= 0
        assert variant.price_dirhams is None or variant.price_dirhams > product.price_dirhams


def test_the_goods_show_every_case_a_shop_meets() -> None:
    stocks = [variant.stock for variant in _variants()]
    assert stocks.count(None) >= 5  # untracked
    assert stocks.count(0) >= 10  # sold out
    assert stocks.count(1) >= 10  # the last piece
    sold_out = [p for _, p in PRODUCTS if all(v.stock == 0 for v in p.variants)]
    assert sold_out
    for store in STORES:
        prices = [product.price_dirhams for product in store.products]
        assert any(price % 10 for price in prices)  # the dinar's third decimal
        assert any(product.compare_at_dirhams for product in store.products)
        assert any(not product.sizes or not product.colors for product in store.products)
    assert any(variant.price_dirhams for variant in _variants())


def test_every_drawing_is_used_by_some_product() -> None:
    assert {product.picture for _, product in PRODUCTS} == set(PICTURES)


def test_images_are_small_quick_and_show_something() -> None:
    began = time.process_time()
    images = [(product, draw_image(product, store)) for store, product in PRODUCTS]
    each_seconds = (time.process_time() - began) / len(images)
    for _, content in images:
        assert len(content) < 40_000
        image = Image.open(io.BytesIO(content))
        assert (image.format, image.size) == ("WEBP", (800, 800))
        assert max(ImageStat.Stat(image.convert("L")).stddev) > 8
    assert each_seconds < 0.12  # about 0.035 where nothing else runs
    assert len({content for _, content in images}) == len(images)


def test_the_same_picture_has_the_same_bytes_and_variants_differ() -> None:
    store, product = PRODUCTS[0]
    pictures = [draw_image(product, store, variant=number) for number in range(3)]
    assert pictures == [draw_image(product, store, variant=number) for number in range(3)]
    assert len(set(pictures)) == 3


@pytest.mark.parametrize("size", [(64, 64), (320, 200), (200, 320)])
def test_other_sizes_are_drawn_as_asked(size: tuple[int, int]) -> None:
    for store in STORES:
        content = draw_image(store.products[0], store, size=size, variant=1)
        assert Image.open(io.BytesIO(content)).size == size

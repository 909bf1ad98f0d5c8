"""Renew what follows from products after something beside them changed: a category's name."""

from eishro.db.statements import Batch
from eishro.domain.catalog import sql as catalog
from eishro.domain.stores import sql as stores
from eishro.flows.product_card import described, read_products
from eishro.flows.shop import Shop, again_if_stale

AT_ONCE = 100  # ids read at a time


async def refile_products(shop: Shop, category_id: int) -> None:
    """Write search text and cards of a category's products anew; running it again is harmless."""
    after = 0
    while ids := await catalog.list_on_shelf(shop.db, category_id, after, AT_ONCE):
        for product_id in ids:
            await _refile(shop, product_id)
        after = ids[-1]


@again_if_stale
async def _refile(shop: Shop, product_id: int) -> None:
    for state in await read_products(shop, [product_id]):
        product = state.product
        await shop.db.commit(
            Batch(
                # What was kept of searches is outdated.
                stores.move_version(product.store_id),
                *described(state, product.version),
            )
        )

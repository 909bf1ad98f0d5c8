"""What orders are priced from, remembered: stores with their delivery and promotions, and offers.

An order is guarded by the versions it was priced from, so what is remembered may be outdated
without harm: the batch is refused, the memory forgets, and the order is priced from the database.
Pieces in stock are not remembered at all; only the hold knows them.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from eishro.db.database import Database
from eishro.domain.discounts import sql as promotions
from eishro.domain.discounts.model import Rule
from eishro.domain.orders import sql as orders
from eishro.domain.orders.model import Offer
from eishro.domain.shipping import rates, zones_sql
from eishro.domain.shipping.rates import DeliveryPlan
from eishro.domain.shipping.zones import Zone
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import Store, StoreSettings

PRODUCTS_MAX = 10_000  # remembered by one process; about 1 KB each
STORES_MAX = 2_000


class PricedStore(msgspec.Struct, frozen=True):
    """A store with its settings, delivery and automatic promotions read. Zones and promotions move
    the store's version, too.
    """

    store: Store
    settings: StoreSettings
    plan: DeliveryPlan
    promotions: tuple[Rule, ...]


def delivery_plan(settings: StoreSettings, zones: Iterable[Zone]) -> DeliveryPlan:
    """What a store with these settings and zones prices delivery from."""
    return rates.store_plan(
        zones,
        rate_dirhams=settings.shipping_rate_dirhams,
        free_above_dirhams=settings.free_shipping_above_dirhams,
        pickup=rates.Pickup(settings.pickup_address) if settings.pickup_enabled else None,
        cod_rounding_dirhams=settings.cod_rounding_dirhams,
    )


class PriceList:
    """The memory of one process; least recently used entries go first."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stores: OrderedDict[int, PricedStore] = OrderedDict()
        self._offers: OrderedDict[tuple[int, int], tuple[Offer, ...]] = OrderedDict()

    def recall(
        self, store_id: int, product_ids: Iterable[int]
    ) -> tuple[PricedStore, list[Offer]] | None:
        """All of it from memory, or None. The offers say nothing about stock."""
        store = self._stores.get(store_id)
        if store is None:
            return None
        offers: list[Offer] = []
        for product_id in product_ids:
            known = self._offers.get((store_id, product_id))
            if known is None:
                return None
            self._offers.move_to_end((store_id, product_id))
            offers += known
        self._stores.move_to_end(store_id)
        return store, offers

    async def read(
        self, store_id: int, product_ids: Sequence[int], at: datetime
    ) -> tuple[PricedStore, list[Offer]] | None:
        """From the database, stock included, and remembered; None: there is no such store."""
        store = await stores.find_store(self._db, store_id)
        if store is None:
            return None
        offers = await orders.list_offers(self._db, store_id, sorted(product_ids))
        # After the store: an order is refused if its version is older than what was read here.
        settings = store.settings_value()
        zones = await zones_sql.list_zones(self._db, store_id)
        automatic = await promotions.list_automatic(self._db, store_id, at)
        priced = PricedStore(store, settings, delivery_plan(settings, zones), tuple(automatic))
        self._remember(priced, offers)
        return priced, offers

    def forget(self, store_id: int, product_ids: Iterable[int]) -> None:
        """Something of this was outdated."""
        self._stores.pop(store_id, None)
        for product_id in product_ids:
            self._offers.pop((store_id, product_id), None)

    def _remember(self, store: PricedStore, offers: Sequence[Offer]) -> None:
        store_id = store.store.id
        self._stores[store_id] = store
        by_product: dict[int, list[Offer]] = {}
        for offer in offers:
            by_product.setdefault(offer.product_id, []).append(offer)
        for product_id, found in by_product.items():
            # Where something has run out, buyers are told so at once: that is read each time.
            if all(offer.available is None or offer.available > 0 for offer in found):
                self._offers[store_id, product_id] = tuple(
                    msgspec.structs.replace(offer, available=None) for offer in found
                )
        while len(self._offers) > PRODUCTS_MAX:
            self._offers.popitem(last=False)
        while len(self._stores) > STORES_MAX:
            self._stores.popitem(last=False)

"""Loading the demo stores through the same flows that merchants use.

Each store is loaded once; what is there is left alone, so a broken-off load goes on where it
stopped. The demo users' password is made here and kept in the data folder.
"""

import asyncio
import contextlib
import os
import secrets
from pathlib import Path

from eishro.adapters.payments.bank_transfer import DEMO_IBAN, DEMO_INSTITUTION
from eishro.app import open_shop
from eishro.cli.commands import add_admin
from eishro.db import migrate
from eishro.db.audit import Actor
from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import EmailTaken
from eishro.domain.accounts.tokens import AccessTokens
from eishro.domain.catalog import sql as catalog
from eishro.domain.catalog.model import Color
from eishro.domain.shipping import zones_sql
from eishro.domain.stores import sql as stores
from eishro.domain.stores.model import StoreSettings, TransferAccount
from eishro.errors import Invalid
from eishro.flows.edit_product import ProductDraft, VariantDraft, create_product
from eishro.flows.edit_store import CategoryChange, create_category
from eishro.flows.edit_zones import create_zone
from eishro.flows.open_store import NewStore
from eishro.flows.shop import NotOnce, Shop
from eishro.flows.sign_in import Device, Registration, register
from eishro.sandbox.demo_catalogue import STORES
from eishro.sandbox.demo_images import draw_image
from eishro.sandbox.demo_model import DemoProduct, DemoStore, DemoVariant
from eishro.sandbox.demo_zones import WEIGHT_GRAMS, zones_of
from eishro.settings import Settings

ADMIN_EMAIL = "admin@demo.eishro.ly"
_SEEDER = Actor(name="system:demo")


def merchant_email(store: DemoStore) -> str:
    """The login of a demo store's merchant."""
    return f"{store.slug}@demo.eishro.ly"


def demo_password(data_dir: Path) -> str:
    """The demo users' password, made once for an installation (0600)."""
    path = data_dir / "demo-password"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(f"demo-{secrets.token_hex(4)}")
    return path.read_text().strip()


async def seed_database(settings: Settings) -> int:
    """Load what is missing of the demo stores."""
    async with open_shop(settings) as shop:
        await migrate.check(shop.db)
        await seed_shop(shop, demo_password(settings.data_dir))
    return 0


async def seed_shop(shop: Shop, password: str) -> None:
    """Load what is missing of the demo stores into an open shop."""
    if await accounts.find_user_by_email(shop.db, ADMIN_EMAIL) is None:
        await add_admin(shop, ADMIN_EMAIL, password)
    for store in STORES:
        await _seed_store(shop, store, password)


async def _seed_store(shop: Shop, demo: DemoStore, password: str) -> None:
    user = await accounts.find_user_by_email(shop.db, merchant_email(demo))
    # Whatever its people made of the store since, it is the demo merchant's.
    store_id = None if user is None else await accounts.find_own_store(shop.db, user.id)
    if store_id is None:
        store_id = await _open(shop, demo, password)
    have = {
        category.slug: category.id for category in await stores.list_categories(shop.db, store_id)
    }
    for position, category in enumerate(demo.categories):
        if category.slug not in have:
            change = CategoryChange(
                name=category.name,
                name_en=category.name_en,
                slug=category.slug,
                parent_id=have[category.parent] if category.parent else None,
                position=position,
            )
            made = await create_category(shop, store_id, change, _SEEDER, NotOnce())
            have[category.slug] = made.id
    await _add_zones(shop, store_id, demo)
    # By SKU, since names change and products are archived; both stay as they are.
    skus = await catalog.find_skus(
        shop.db, store_id, [v.sku for product in demo.products for v in product.variants]
    )
    missing = [p for p in demo.products if not any(v.sku in skus for v in p.variants)]
    for product in missing:
        await _add_product(shop, store_id, demo, product, have)
    if missing:
        print(f"  {demo.name_en}: {len(missing)} products")


async def _add_zones(shop: Shop, store_id: int, demo: DemoStore) -> None:
    have = {zone.name_en for zone in await zones_sql.list_zones(shop.db, store_id)}
    for zone in zones_of(demo):
        if zone.name_en not in have:
            # Its merchant may have a zone for the same places by now.
            with contextlib.suppress(Invalid):
                await create_zone(shop, store_id, zone, _SEEDER, NotOnce())


async def _open(shop: Shop, demo: DemoStore, password: str) -> int:
    registration = Registration(
        email=merchant_email(demo),
        password=password,
        first_name=demo.name,
        last_name="",
        phone=demo.contact_phone,
        role="merchant",
        store=NewStore(
            name=demo.name,
            name_en=demo.name_en,
            slug=demo.slug,
            description=demo.description,
            settings=StoreSettings(
                shipping_rate_dirhams=demo.shipping_rate_dirhams,
                free_shipping_above_dirhams=demo.free_shipping_above_dirhams,
                contact_phone=demo.contact_phone,
                contact_email=demo.contact_email,
                contact_address=demo.contact_address,
                transfer_account=_account_of(demo),
            ),
        ),
    )
    tokens = AccessTokens(shop.keyring)
    signed_in = await register(shop, tokens, registration, Device("demo", ""), NotOnce())
    if signed_in.store is None:
        raise EmailTaken()
    return signed_in.store.id


def _account_of(demo: DemoStore) -> TransferAccount:
    """An account of its own: its merchant says what has come there."""
    return TransferAccount(
        beneficiary=demo.name,
        bank="wb",
        iban=DEMO_IBAN,
        latin_name=demo.name_en[:25],
        institution=DEMO_INSTITUTION,
    )


async def _add_product(
    shop: Shop, store_id: int, demo: DemoStore, product: DemoProduct, categories: dict[str, int]
) -> None:
    images = []
    for number in range(product.image_count):
        content = await asyncio.to_thread(draw_image, product, demo, variant=number)
        key = f"demo/{demo.slug}/{product.sku.lower()}-{number + 1}.webp"
        await shop.files.put(f"media/{key}", content, "image/webp")
        images.append(f"/media/{key}")
    draft = ProductDraft(
        name=product.name,
        name_en=product.name_en,
        description=product.description,
        description_en=product.description_en,
        price_dirhams=product.price_dirhams,
        compare_at_dirhams=product.compare_at_dirhams,
        images=images,
        sizes=product.sizes,
        colors=[Color(color.name, color.value) for color in product.colors],
        categories=[categories[slug] for slug in product.categories],
        variants=[_variant(variant) for variant in product.variants],
        weight_grams=WEIGHT_GRAMS.get(product.picture),
    )
    await create_product(shop, store_id, draft, _SEEDER, NotOnce())


def _variant(variant: DemoVariant) -> VariantDraft:
    options = {"size": variant.size, "color": variant.color}
    return VariantDraft(
        options={name: value for name, value in options.items() if value is not None},
        sku=variant.sku,
        price_dirhams=variant.price_dirhams,
        stock=variant.stock,
    )

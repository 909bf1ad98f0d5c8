"""What stores are owed is paid out: they ask, one admin approves, another one pays."""

from eishro.domain.payouts import sql as payouts
from eishro.flows.pay_out import (
    approve_payout,
    cancel_payout,
    pay_payout,
    read_funds,
    reject_payout,
    request_payout,
)
from eishro.flows.shop import NotOnce
from tests.shops import TESTER
from tests.simulation.choice import Nothing, at_once
from tests.simulation.universe import Universe

OPEN_MAX = 20  # that an admin looks at


async def ask_for_money(universe: Universe) -> None:
    """The owner, or an admin for the owner, asks for some, for all, or for too much; maybe several
    at once. Now and then the bank account is another one from then on.
    """
    rng, shop = universe.rng, universe.shop
    store_id = rng.choice(universe.stores)
    if rng.random() < 0.05:
        await universe.name_bank(store_id)
    available = (await read_funds(shop, store_id)).available_dirhams
    part = rng.randint(1, max(1, available // 2))
    await at_once(
        *(
            request_payout(
                shop,
                store_id,
                rng.choice([None, part, part, available + 1]),
                rng.choice([universe.owners[store_id], universe.admins[0]]),
                TESTER,
                NotOnce(),
            )
            for _ in range(rng.choice([1, 1, 3]))
        )
    )


async def decide_on_money(universe: Universe) -> None:
    """Admins approve, pay or refuse, two of them at once maybe; the store may take it back."""
    rng, shop = universe.rng, universe.shop
    asked, _ = await payouts.list_payouts(shop.db, "requested", OPEN_MAX, 0)
    approved, _ = await payouts.list_payouts(shop.db, "approved", OPEN_MAX, 0)
    if not asked and not approved:
        raise Nothing
    one = rng.choice(asked + approved)
    people = rng.sample(universe.admins, rng.choice([1, 1, 2]))
    roll = rng.random()
    if roll < 0.1:
        await at_once(*(reject_payout(shop, one.id, by, "x", TESTER) for by in people))
    elif roll < 0.15:
        owner = universe.owners[one.store_id]
        await cancel_payout(shop, one.store_id, one.id, owner, TESTER)
    elif one.status == "requested":
        await at_once(*(approve_payout(shop, one.id, by, TESTER) for by in people))
    else:
        await at_once(*(pay_payout(shop, one.id, by, "FT1", TESTER) for by in people))

"""What a method cannot carry to the dirham is refused before anything is sent, never rounded."""

import contextlib
from datetime import UTC, datetime

import msgspec
import pytest

from eishro.adapters.payments import METHODS
from eishro.domain.payments.model import AmountNotCarried
from eishro.domain.payments.port import Intent, PaymentMethod, ProviderBusy, ProviderRefused
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.money import DIRHAMS_MAX
from tests.every_gateway import ACCOUNT, PAYER, RATE, every_gateway
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio


def _name(method: PaymentMethod) -> str:
    return f"{method.method}-{method.provider}"


def _unfit(method: PaymentMethod) -> list[int]:
    """Amounts beside every bound of the method."""
    found = []
    if method.least_dirhams > 1:
        found += [1, method.least_dirhams - 1]
    if method.step_dirhams > 1:
        found += [method.least_dirhams + 1, 25_505, 999_999]
    if method.most_dirhams < DIRHAMS_MAX:
        found.append(method.most_dirhams + 1)
    return found


def _intent(method: PaymentMethod, dirhams: int) -> Intent:
    return Intent(
        reference="ABCDEFGH12345678",
        amount_dirhams=dirhams,
        created_at=datetime(2026, 1, 15, 8, 30, tzinfo=UTC),
        method=method.method,
        currency=method.currency,
        wire_minor=None if method.currency == "LYD" else RATE.cents(dirhams),
        return_url="https://shop.test/back",
        notify_url="https://shop.test/news",
        # Each wallet has cards of its own length.
        payer=msgspec.structs.replace(PAYER, card="1234567")
        if method.provider == "mobicash"
        else PAYER,
        beneficiary=ACCOUNT,
    )


@pytest.mark.parametrize("method", METHODS, ids=_name)
async def test_an_order_that_it_cannot_carry_is_refused_before_sending(
    world: World, method: PaymentMethod
) -> None:
    """When the order is placed, and when an order that was placed with another is to be paid."""
    async with every_gateway(world) as wire:
        world.shop = changed(world.shop, methods=(method, *world.shop.methods))
        merchant = await world.merchant(shipping_rate_dirhams=0)
        assert merchant.store is not None
        for dirhams in _unfit(method):
            state = await world.product(merchant.store.id, price=dirhams)
            with pytest.raises(AmountNotCarried):
                await world.order(state, method=method.method)
            order_id = (await world.order(state, method="cod")).order.id
            with pytest.raises(AmountNotCarried):
                await start_payment(
                    world.shop, order_id, method.method, None, TESTER, NotOnce(), PAYER
                )
        assert wire.sent == []


@pytest.mark.parametrize("method", [one for one in METHODS if one.provider], ids=_name)
async def test_the_adapter_itself_rounds_nothing_either(
    world: World, method: PaymentMethod
) -> None:
    """Whatever a flow lets through; what fits is not refused for its amount."""
    async with every_gateway(world) as wire:
        provider = world.shop.providers[method.provider or ""]
        if method.step_dirhams > 1:
            for dirhams in (method.step_dirhams + 1, 25_505, 999_999):
                with pytest.raises(ProviderRefused):
                    await provider.start(_intent(method, dirhams))
        assert wire.sent == []
        for dirhams in (method.least_dirhams, 25_500, 1_000_010):
            with contextlib.suppress(ProviderBusy):  # where it has to be asked: it is silent
                await provider.start(_intent(method, dirhams))

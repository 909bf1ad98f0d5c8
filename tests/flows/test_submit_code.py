"""One-time codes: sent once, tried five times, never charged twice."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from eishro.adapters.payments.defaults import Defaults
from eishro.cli.doctor import find_faults
from eishro.db.statements import Batch
from eishro.domain.orders import sql as orders
from eishro.domain.payments import sql as payments
from eishro.domain.payments.model import (
    CODE_SILENCE,
    CODE_TRIES_MAX,
    MayBeCharged,
    NoCodeExpected,
    NotPayable,
    Payment,
)
from eishro.domain.payments.port import (
    Answer,
    Failed,
    Intent,
    NotSent,
    Otp,
    Paid,
    PaymentMethod,
    ProviderBusy,
    Receipt,
    ResendTooSoon,
    Started,
    Unknown,
    WrongCode,
)
from eishro.errors import Invalid
from eishro.flows.change_order import cancel_order
from eishro.flows.pay_order import Hand, record_answer
from eishro.flows.shop import NotOnce
from eishro.flows.start_payment import start_payment
from eishro.flows.submit_code import resend_code, submit_code
from eishro.flows.sweep_payment import expire_payment
from eishro.jobs.ask_gateways import check_due_payments
from eishro.jobs.schedule import expire_unpaid_orders
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

GOOD = "123456"


class Wallet(Defaults):
    """Takes one code; `says` replaces its answers; what it was sent stands in `codes`."""

    name = "wallet"

    def __init__(self, world: World) -> None:
        self._world = world
        self.codes: list[str] = []
        self.sessions: list[str] = []
        self.says: Answer | WrongCode | NotSent | None = None
        self.pause = asyncio.Event()
        self.pause.set()

    async def start(self, intent: Intent) -> Started:
        resend_at = self._world.clock.now() + timedelta(seconds=60)
        action = Otp(length=6, masked_phone="09•••••678", resend_at=resend_at)
        return Started(action, {"process": f"p-{intent.reference}"})

    async def resend_otp(self, intent: Intent) -> Started:
        return Started(Otp(length=6, masked_phone="09•••••678"), {"process": "again"})

    async def submit_otp(self, intent: Intent, code: str) -> Answer | WrongCode | NotSent:
        self.codes.append(code)
        self.sessions.append(intent.session["process"])
        await self.pause.wait()
        if self.says is not None:
            return self.says
        if code != GOOD:
            return WrongCode("bad code")
        receipt = Receipt(
            provider_reference=f"w-{intent.reference}",
            terminal="W",
            amount_dirhams=intent.amount_dirhams,
            currency="LYD",
        )
        return Paid((receipt,))


async def _begun(world: World) -> tuple[Wallet, Payment]:
    wallet = Wallet(world)
    method = PaymentMethod("wallet", "otp", "محفظة", "Wallet", "wallet", asks=("phone",))
    world.shop = changed(
        world.shop,
        providers={**world.shop.providers, "wallet": wallet},
        methods=(*world.shop.methods, method),
    )
    merchant = await world.merchant()
    assert merchant.store is not None
    state = await world.product(merchant.store.id, stock=3)
    placed = await world.order(state)
    return wallet, await _again(world, placed.order.id)


async def _again(world: World, order_id: str) -> Payment:
    return await start_payment(world.shop, order_id, "wallet", None, TESTER, NotOnce())


async def test_the_right_code_pays_the_order(world: World) -> None:
    wallet, payment = await _begun(world)
    assert payment.reference not in (payment.session or "")  # what the adapter keeps is sealed
    assert (await submit_code(world.shop, payment.id, GOOD)).status == "paid"
    assert wallet.sessions == [f"p-{payment.reference}"]
    assert (await orders.get_order(world.db, payment.order_id)).payment_status == "paid"
    with pytest.raises(NoCodeExpected):
        await submit_code(world.shop, payment.id, GOOD)
    assert await find_faults(world.db) == []


async def test_a_wrong_code_may_be_followed_by_others_but_not_for_ever(world: World) -> None:
    wallet, payment = await _begun(world)
    for _ in range(CODE_TRIES_MAX):
        assert (await payments.get_payment(world.db, payment.id)).status == "action_required"
        with pytest.raises(Invalid) as refused:
            await submit_code(world.shop, payment.id, "000000")
        assert set(refused.value.faults) == {"code"}
    assert (await payments.get_payment(world.db, payment.id)).status == "failed"
    with pytest.raises(NoCodeExpected):
        await submit_code(world.shop, payment.id, GOOD)
    assert len(wallet.codes) == CODE_TRIES_MAX
    second = await _again(world, payment.order_id)
    assert (await submit_code(world.shop, second.id, GOOD)).status == "paid"


async def test_many_at_once_send_one_code(world: World) -> None:
    wallet, payment = await _begun(world)
    wallet.pause.clear()
    racing = [asyncio.ensure_future(submit_code(world.shop, payment.id, GOOD)) for _ in range(10)]
    while not wallet.codes:
        await asyncio.sleep(0.001)
    with pytest.raises(MayBeCharged):  # another attempt beside it could charge twice
        await _again(world, payment.order_id)
    wallet.pause.set()
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sum(isinstance(outcome, Payment) for outcome in outcomes) == 1
    refused = (NoCodeExpected, MayBeCharged, NotPayable)  # by what a late one reads first
    assert sum(isinstance(outcome, refused) for outcome in outcomes) == 9
    assert wallet.codes == [GOOD]


async def test_codes_of_two_attempts_at_once_charge_once(world: World) -> None:
    wallet, first = await _begun(world)
    second = await _again(world, first.order_id)
    wallet.pause.clear()
    racing = [
        asyncio.ensure_future(submit_code(world.shop, one.id, GOOD))
        for one in (first, second, first, second)
    ]
    while not wallet.codes:
        await asyncio.sleep(0.001)
    wallet.pause.set()
    outcomes = await asyncio.gather(*racing, return_exceptions=True)
    assert sum(isinstance(outcome, Payment) for outcome in outcomes) == 1
    refused = (MayBeCharged, NoCodeExpected, NotPayable)  # the last by who reads the order paid
    assert sum(isinstance(outcome, refused) for outcome in outcomes) == 3
    assert wallet.codes == [GOOD]
    with pytest.raises((NoCodeExpected, NotPayable)):
        await submit_code(world.shop, second.id, GOOD)
    assert await find_faults(world.db) == []


async def test_an_order_cancelled_while_a_code_is_on_its_way_forgets_no_money(
    world: World,
) -> None:
    for says in (Unknown("no answer"), WrongCode("bad code"), None):
        wallet, payment = await _begun(world)
        wallet.says = says
        wallet.pause.clear()
        sending = asyncio.ensure_future(submit_code(world.shop, payment.id, GOOD))
        while not wallet.codes:
            await asyncio.sleep(0.001)
        await cancel_order(world.shop, payment.order_id, TESTER, only_pending=True)
        wallet.pause.set()
        await asyncio.gather(sending, return_exceptions=True)
        found = await payments.get_payment(world.db, payment.id)
        if isinstance(says, Unknown):
            assert (found.status, found.review) == ("unknown", "no_answer")
        elif isinstance(says, WrongCode):
            assert found.status == "cancelled"
        else:  # it was charged: the money waits for people
            (receipt,) = await payments.list_receipts(world.db, payment.id)
            assert (receipt.applied, receipt.reason) == (False, "order_closed")
        assert await find_faults(world.db) == []


async def test_a_code_for_an_order_that_waits_no_more_is_not_sent(world: World) -> None:
    wallet, payment = await _begun(world)
    await cancel_order(world.shop, payment.order_id, TESTER, only_pending=True)
    with pytest.raises((NoCodeExpected, NotPayable)):
        await submit_code(world.shop, payment.id, GOOD)
    assert wallet.codes == []


async def test_silence_after_a_code_is_unclear_and_waits_for_people(world: World) -> None:
    wallet, payment = await _begun(world)
    wallet.says = Unknown("no answer", is_unreachable=True)
    dark = await submit_code(world.shop, payment.id, GOOD)
    assert (dark.status, dark.review) == ("unknown", "no_answer")
    with pytest.raises(MayBeCharged):
        await _again(world, payment.order_id)
    with pytest.raises(NoCodeExpected):
        await submit_code(world.shop, payment.id, GOOD)
    assert len(wallet.codes) == 1


async def test_a_code_that_never_left_is_no_try_and_charged_nothing(world: World) -> None:
    wallet, payment = await _begun(world)
    wallet.says = NotSent("no connection")
    for _ in range(CODE_TRIES_MAX + 1):
        with pytest.raises(ProviderBusy):
            await submit_code(world.shop, payment.id, GOOD)
    waiting = await payments.get_payment(world.db, payment.id)
    assert (waiting.status, waiting.code_tries, waiting.review) == ("action_required", 0, None)
    assert not waiting.may_be_charged
    assert (await _again(world, payment.order_id)).status == "action_required"
    wallet.says = None
    assert (await submit_code(world.shop, payment.id, GOOD)).status == "paid"
    assert await find_faults(world.db) == []


async def test_a_code_in_flight_at_a_crash_is_found_unclear(world: World) -> None:
    wallet, payment = await _begun(world)
    wallet.pause.clear()
    sending = asyncio.ensure_future(submit_code(world.shop, payment.id, GOOD))
    while not wallet.codes:
        await asyncio.sleep(0.001)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert (await payments.get_payment(world.db, payment.id)).status == "processing"
    world.clock.turn(CODE_SILENCE)
    await check_due_payments(world.shop)
    found = await payments.get_payment(world.db, payment.id)
    assert (found.status, found.review) == ("unknown", "no_answer")
    assert await check_due_payments(world.shop) == 0  # it is not asked about without end


async def test_a_clear_no_ends_the_attempt(world: World) -> None:
    wallet, payment = await _begun(world)
    wallet.says = Failed("insufficient funds")
    failed = await submit_code(world.shop, payment.id, GOOD)
    assert (failed.status, failed.failure) == ("failed", "insufficient funds")
    assert (await orders.get_order(world.db, payment.order_id)).payment_status == "failed"


async def test_another_code_is_sent_after_a_while(world: World) -> None:
    wallet, payment = await _begun(world)
    with pytest.raises(ResendTooSoon) as soon:
        await resend_code(world.shop, payment.id)
    assert soon.value.retry_after_seconds == 60
    world.clock.turn(timedelta(seconds=61))
    await resend_code(world.shop, payment.id)
    await submit_code(world.shop, payment.id, GOOD)
    assert wallet.sessions == ["again"]


async def test_over_http_a_code_may_be_written_in_arabic_digits(world: World) -> None:
    wallet, payment = await _begun(world)
    client = world.client()
    path = f"/api/payments/{payment.id}/otp"
    wrong = await client.post(path, json={"code": "000000"})
    assert (wrong.status_code, list(wrong.json()["error"]["details"])) == (422, ["code"])
    assert (await client.post(path, json={"code": "12 34"})).status_code == 422
    paid = await client.post(path, json={"code": "١٢٣٤٥٦"})
    assert (paid.status_code, paid.json()["data"]["status"]) == (200, "paid")
    again = await client.post(path, json={"code": GOOD})
    assert again.status_code == 409
    assert wallet.codes == ["000000", GOOD]


async def test_two_attempts_of_one_order_are_not_charged_with_a_code_each(world: World) -> None:
    wallet, first = await _begun(world)
    second = await _again(world, first.order_id)
    wallet.says = Unknown("no answer")
    assert (await submit_code(world.shop, first.id, GOOD)).status == "unknown"
    wallet.says = None
    with pytest.raises(MayBeCharged):
        await submit_code(world.shop, second.id, GOOD)
    assert len(wallet.codes) == 1
    # Once it is clear that nothing was charged, the other goes on.
    await record_answer(world.shop, first.id, Failed("not charged"), Hand(TESTER, (), True))
    assert (await submit_code(world.shop, second.id, GOOD)).status == "paid"
    assert await find_faults(world.db) == []


@pytest.mark.parametrize("closing", ["cancelled", "expired"])
async def test_a_code_that_nobody_answers_is_looked_at_though_the_order_was_closed_meanwhile(
    world: World, closing: str
) -> None:
    wallet, payment = await _begun(world)
    wallet.pause.clear()
    wallet.says = Unknown("no answer")
    sending = asyncio.ensure_future(submit_code(world.shop, payment.id, GOOD))
    while not wallet.codes:
        await asyncio.sleep(0.001)
    if closing == "cancelled":
        await cancel_order(world.shop, payment.order_id, TESTER, only_pending=True)
    else:
        world.clock.turn(timedelta(hours=2))
        await expire_unpaid_orders(world.shop)
        await expire_payment(world.shop, payment.id)
    assert (await orders.get_order(world.db, payment.order_id)).status == "cancelled"
    wallet.pause.set()
    after = await sending
    assert (after.status, after.review) == ("unknown", "no_answer")


async def test_a_code_does_not_charge_what_the_order_does_not_owe_any_more(world: World) -> None:
    wallet, payment = await _begun(world)
    order = await orders.get_order(world.db, payment.order_id)
    dearer = msgspec.structs.replace(
        order,
        total_dirhams=order.total_dirhams + 1_000,
        due_dirhams=order.due_dirhams + 1_000,
        shipping_dirhams=order.shipping_dirhams + 1_000,
    )
    await world.db.commit(Batch(orders.save_order(dearer, seen=order)))
    with pytest.raises(NotPayable):
        await submit_code(world.shop, payment.id, GOOD)
    assert wallet.codes == []

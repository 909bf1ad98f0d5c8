"""Payouts: one balance is paid out once, by two people, to where it was meant to go."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from eishro.cli.doctor import find_faults
from eishro.db.statements import Batch
from eishro.domain.accounts.model import Caller, ReauthenticationRequired
from eishro.domain.ledger.sql import post
from eishro.domain.payouts.model import (
    BankAccountMissing,
    Payout,
    PayoutNotCovered,
    PayoutNotPossible,
    PayoutTooEarly,
    TwoPeopleNeeded,
)
from eishro.errors import ShopError
from eishro.flows import pay_out
from eishro.flows.pay_out import BankDetails, read_funds
from eishro.flows.secure_account import Proof
from eishro.flows.shop import NotOnce
from eishro.flows.sign_in import SignedIn
from tests.shops import PASSWORD, TESTER, World

pytestmark = pytest.mark.anyio

IBAN = "LY83002048000020100120361"
DETAILS = BankDetails("متجر", "مصرف الجمهورية", IBAN)


class Till:
    """A store with 71 dinars to be paid out, its owner, and three admins."""

    def __init__(self, world: World, owner: SignedIn, admins: list[int]) -> None:
        assert owner.store is not None
        self.world = world
        self.owner = owner
        self.store_id = owner.store.id
        self.admins = admins

    async def ask(self, amount: int | None = None, by: int | None = None) -> Payout:
        return await pay_out.request_payout(
            self.world.shop, self.store_id, amount, by or self.owner.user.id, TESTER, NotOnce()
        )

    async def approve(self, payout: Payout, by: int) -> Payout:
        return await pay_out.approve_payout(self.world.shop, payout.id, by, TESTER)

    async def pay(self, payout: Payout, by: int) -> Payout:
        return await pay_out.pay_payout(self.world.shop, payout.id, by, "FT1", TESTER)

    async def available(self) -> int:
        return (await read_funds(self.world.shop, self.store_id)).available_dirhams

    def proof(self, *, password: str | None = PASSWORD) -> Proof:
        caller = Caller(name="x", user_id=self.owner.user.id, role="merchant")
        return Proof(caller=caller, session_id="", actor=TESTER, password=password)

    async def lose(self, dirhams: int) -> None:
        """A buyer gets money back through the gateway."""
        at = self.world.clock.now()
        amounts = {"sales": dirhams, "clearing:moamalat": -dirhams}
        await self.world.db.commit(Batch(post(self.store_id, "refund.paid", at, amounts)))


@pytest.fixture
async def till(world: World) -> Till:
    owner = await world.merchant()
    assert owner.store is not None
    admins = [(await world.admin()).user.id for _ in range(3)]
    till = Till(world, owner, admins)
    state = await world.product(owner.store.id)
    for _ in range(2):
        await world.earn(state)
    await pay_out.change_bank_account(world.shop, till.store_id, DETAILS, till.proof(), TESTER)
    world.clock.turn(timedelta(hours=25))
    return till


async def test_a_payout_takes_two_admins_and_moves_the_books(till: Till) -> None:
    payout = await till.ask()
    assert payout.amount_dirhams == 71_000
    assert await till.available() == 0
    payout = await till.approve(payout, till.admins[0])
    payout = await till.pay(payout, till.admins[1])
    assert (payout.status, payout.iban, payout.reference) == ("paid", IBAN, "FT1")
    funds = await read_funds(till.world.shop, till.store_id)
    assert (funds.owed_dirhams, funds.open_dirhams, funds.available_dirhams) == (0, 0, 0)
    assert (funds.balances["payouts"], funds.balances["bank"]) == (-71_000, 71_000)
    assert await find_faults(till.world.db) == []


async def test_ten_requests_at_once_for_everything_get_it_once(till: Till) -> None:
    outcomes = await asyncio.gather(*(till.ask(71_000) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, Payout) for one in outcomes) == 1
    assert sum(isinstance(one, PayoutNotCovered) for one in outcomes) == 9
    assert await till.available() == 0


async def test_small_requests_at_once_never_take_more_than_there_is(till: Till) -> None:
    outcomes = await asyncio.gather(*(till.ask(20_000) for _ in range(6)), return_exceptions=True)
    assert all(isinstance(one, Payout | ShopError) for one in outcomes)
    assert sum(isinstance(one, Payout) for one in outcomes) == 3
    assert await till.available() == 11_000


async def test_one_payout_is_paid_once(till: Till) -> None:
    payout = await till.approve(await till.ask(), till.admins[0])
    outcomes = await asyncio.gather(
        *(till.pay(payout, by) for by in till.admins[1:] * 3), return_exceptions=True
    )
    assert sum(isinstance(one, Payout) for one in outcomes) == 1
    assert sum(isinstance(one, PayoutNotPossible) for one in outcomes) == 5
    assert await find_faults(till.world.db) == []


async def test_nobody_does_two_steps_in_a_row(till: Till) -> None:
    payout = await till.ask(by=till.admins[0])  # in the store's name
    with pytest.raises(TwoPeopleNeeded):
        await till.approve(payout, till.admins[0])
    payout = await till.approve(payout, till.admins[1])
    with pytest.raises(TwoPeopleNeeded):
        await till.pay(payout, till.admins[1])
    assert (await till.pay(payout, till.admins[2])).status == "paid"


async def test_what_is_given_up_is_available_again(till: Till) -> None:
    shop, by = till.world.shop, till.admins[0]
    payout = await till.ask(50_000)
    await pay_out.cancel_payout(shop, till.store_id, payout.id, till.owner.user.id, TESTER)
    assert await till.available() == 71_000
    payout = await till.approve(await till.ask(50_000), by)
    with pytest.raises(PayoutNotPossible):
        await pay_out.cancel_payout(shop, till.store_id, payout.id, till.owner.user.id, TESTER)
    rejected = await pay_out.reject_payout(shop, payout.id, by, "the name differs", TESTER)
    assert (rejected.status, rejected.reason) == ("rejected", "the name differs")
    assert await till.available() == 71_000


async def test_a_refund_after_a_payout_is_kept_back_from_the_next(till: Till) -> None:
    payout = await till.approve(await till.ask(), till.admins[0])
    await till.pay(payout, till.admins[1])
    await till.lose(50_000)
    funds = await read_funds(till.world.shop, till.store_id)
    assert (funds.owed_dirhams, funds.available_dirhams) == (-50_000, 0)
    with pytest.raises(PayoutNotCovered):
        await till.ask()
    state = await till.world.product(till.store_id)
    for _ in range(2):
        await till.world.earn(state)
    assert await till.available() == 71_000 - 50_000


async def test_a_refund_before_it_is_sent_stops_it(till: Till) -> None:
    payout = await till.ask()
    await till.lose(1)
    with pytest.raises(PayoutNotCovered):
        await till.approve(payout, till.admins[0])


async def test_a_new_bank_account_delays_payouts_and_is_told_to_the_owners(till: Till) -> None:
    world = till.world
    before = await till.ask(10_000)
    other = msgspec.structs.replace(DETAILS, beneficiary="somebody else")
    await pay_out.change_bank_account(world.shop, till.store_id, other, till.proof(), TESTER)
    letters = await world.letters(till.owner.user.email)
    assert letters
    payout = await till.ask(10_000)
    with pytest.raises(PayoutTooEarly):
        await till.approve(payout, till.admins[0])
    # What was asked for before goes where it was meant to go.
    assert (await till.approve(before, till.admins[0])).beneficiary == DETAILS.beneficiary
    world.clock.turn(timedelta(hours=24))
    assert (await till.approve(payout, till.admins[0])).beneficiary == "somebody else"


async def test_a_bank_account_needs_the_password_again(till: Till) -> None:
    with pytest.raises(ReauthenticationRequired):
        await pay_out.change_bank_account(
            till.world.shop, till.store_id, DETAILS, till.proof(password=None), TESTER
        )


async def test_without_a_bank_account_there_is_no_payout(world: World) -> None:
    owner = await world.merchant()
    assert owner.store is not None
    await world.earn(await world.product(owner.store.id))
    with pytest.raises(BankAccountMissing):
        await Till(world, owner, []).ask()

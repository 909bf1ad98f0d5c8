"""The port PaymentProvider: what flows rely on, whoever the gateway is.

For providers that can be queried. A `Player` plays the payer and the gateway; the provider talks
to it over real sockets.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Protocol

import msgspec
import pytest

from eishro.domain.payments.port import (
    Action,
    Claim,
    Failed,
    Intent,
    Paid,
    PaymentProvider,
    Refunded,
    RefundIntent,
    Unknown,
)


class Player(Protocol):
    """What a test asks of payer and gateway."""

    @property
    def provider(self) -> PaymentProvider:
        """Whom the tests are about."""
        ...

    def intent(self, amount_dirhams: int = 25_500) -> Intent:
        """A new attempt."""
        ...

    async def pay(self, action: Action) -> Mapping[str, object]:
        """The payer pays; what the browser is told."""
        ...

    async def decline(self, action: Action) -> Mapping[str, object]:
        """The payer's card is refused; what the browser is told."""
        ...

    def cancel(self, action: Action) -> Mapping[str, object]:
        """The payer closes the window; what the browser is told."""
        ...

    async def undo(self, intent: Intent) -> None:
        """All money of the attempt goes back."""
        ...

    async def news(self) -> list[Claim]:
        """The notifications that arrived since the last call, parsed."""
        ...

    def misbehave(self, what: str) -> None:
        """`nothing`, `knows nothing yet` (for two questions), `tells twice`, `tells in another
        order`, `forges`, `is broken`."""
        ...


async def start(player: Player, intent: Intent) -> Action:
    """What the payer has to do."""
    return (await player.provider.start(intent)).action


@pytest.mark.anyio
class PaymentProviderContract:
    """Subclass it and provide the fixture `player`."""

    async def test_starting_names_the_reference_and_asks_for_the_amount(
        self, player: Player
    ) -> None:
        intent = player.intent(123_456)
        shown = msgspec.json.encode(await start(player, intent)).decode()
        assert intent.reference in shown
        assert "123456" in shown

    async def test_starting_again_changes_nothing(self, player: Player) -> None:
        intent = player.intent()
        assert await start(player, intent) == await start(player, intent)

    async def test_what_nobody_paid_is_unknown(self, player: Player) -> None:
        intent = player.intent()
        await start(player, intent)
        assert isinstance(await player.provider.query(intent), Unknown)

    async def test_a_paid_attempt_has_one_receipt_of_the_exact_amount(self, player: Player) -> None:
        intent = player.intent(25_505)
        await player.pay(await start(player, intent))
        answer = await player.provider.query(intent)
        assert isinstance(answer, Paid)
        (receipt,) = answer.receipts
        assert (receipt.amount_dirhams, receipt.currency) == (25_505, "LYD")
        assert receipt.provider_reference
        assert receipt.terminal

    async def test_asking_again_gives_the_same_receipt(self, player: Player) -> None:
        intent = player.intent()
        await player.pay(await start(player, intent))
        assert await player.provider.query(intent) == await player.provider.query(intent)

    async def test_one_attempt_is_not_paid_by_another(self, player: Player) -> None:
        paid, other = player.intent(), player.intent()
        await player.pay(await start(player, paid))
        answers = await asyncio.gather(
            player.provider.query(other), player.provider.query(paid), player.provider.query(other)
        )
        assert isinstance(answers[0], Unknown)
        assert isinstance(answers[1], Paid)
        assert isinstance(answers[2], Unknown)

    async def test_a_declined_attempt_failed_with_the_gateways_reason(self, player: Player) -> None:
        intent = player.intent()
        told = await player.decline(await start(player, intent))
        claim = player.provider.parse_result(intent, told)
        assert (claim.authentic, claim.kind) in {("unsigned", "failed"), ("yes", "failed")}
        answer = await player.provider.query(intent)
        assert isinstance(answer, Failed)
        assert answer.reason

    async def test_a_second_card_in_the_same_attempt_pays_it(self, player: Player) -> None:
        intent = player.intent()
        action = await start(player, intent)
        await player.decline(action)
        await player.pay(action)
        assert isinstance(await player.provider.query(intent), Paid)

    async def test_a_cancel_is_only_a_claim(self, player: Player) -> None:
        intent = player.intent()
        action = await start(player, intent)
        claim = player.provider.parse_result(intent, player.cancel(action))
        assert (claim.authentic, claim.kind) == ("unsigned", "cancelled")
        assert claim.reference == intent.reference
        assert isinstance(await player.provider.query(intent), Unknown)

    async def test_a_completion_is_a_claim_of_its_own_attempt_alone(self, player: Player) -> None:
        intent, other, dearer = player.intent(), player.intent(), player.intent(99_000)
        told = await player.pay(await start(player, intent))
        claim = player.provider.parse_result(intent, told)
        assert (claim.authentic, claim.kind) == ("yes", "sale")
        assert (claim.reference, claim.amount_dirhams) == (intent.reference, 25_500)
        assert player.provider.parse_result(other, told).authentic == "no"
        assert player.provider.parse_result(dearer, told).authentic == "no"
        more = msgspec.structs.replace(intent, amount_dirhams=25_501)
        assert player.provider.parse_result(more, told).authentic == "no"

    async def test_unknown_becomes_paid_when_the_gateway_knows(self, player: Player) -> None:
        player.misbehave("knows nothing yet")
        intent = player.intent()
        await player.pay(await start(player, intent))
        assert isinstance(await player.provider.query(intent), Unknown)
        assert isinstance(await player.provider.query(intent), Unknown)
        assert isinstance(await player.provider.query(intent), Paid)

    async def test_news_of_a_sale_names_it(self, player: Player) -> None:
        intent = player.intent()
        await player.pay(await start(player, intent))
        (claim,) = await player.news()
        assert (claim.authentic, claim.kind) == ("yes", "sale")
        assert (claim.reference, claim.amount_dirhams) == (intent.reference, 25_500)
        assert claim.dedupe_key

    async def test_news_that_comes_twice_is_the_same_event(self, player: Player) -> None:
        player.misbehave("tells twice")
        await player.pay(await start(player, player.intent()))
        first, second = await player.news()
        assert first == second

    async def test_news_of_two_events_has_two_names_in_any_order(self, player: Player) -> None:
        player.misbehave("tells in another order")
        intent = player.intent()
        await player.pay(await start(player, intent))
        assert isinstance(await player.provider.query(intent), Paid)
        await player.undo(intent)
        undone, sale = await player.news()
        assert sale.kind == "sale"
        assert undone.kind in ("refund", "void")
        assert undone.dedupe_key != sale.dedupe_key
        # The order of news decides nothing: the gateway is asked.
        assert isinstance(await player.provider.query(intent), Unknown)

    async def test_forged_news_is_dropped(self, player: Player) -> None:
        player.misbehave("forges")
        await player.pay(await start(player, player.intent()))
        (claim,) = await player.news()
        assert (claim.authentic, claim.reference) == ("no", None)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b"{}",
            b'"text"',
            b"\xff\xfe",
            b"[" * 50_000,
            b'{"a":' * 10_000,
            b'{"Amount":' + b"9" * 10_000 + b"}",
            b'{"MerchantReference":"\\ud800","SecureHash":"\\ud800"}',
            b'{"SecureHash":"\\u0000"}',
            b"=&=&=",
            b"a=" + b"x" * 100_000,
        ],
    )
    async def test_news_that_cannot_be_read_is_dropped(self, player: Player, body: bytes) -> None:
        assert player.provider.parse_webhook({}, body).authentic == "no"

    async def test_no_payload_of_a_browser_raises(self, player: Player) -> None:
        intent = player.intent()
        told = dict(await player.pay(await start(player, intent)))
        values: list[object] = [None, True, 0, -1, 1.5, "", "\ud800", "\x00", [], {}, "9" * 10_000]
        for name in told:
            for value in values:
                claim = player.provider.parse_result(intent, {**told, name: value})
                json.dumps(claim.raw)
                msgspec.json.encode(claim)
        for value in values:
            assert player.provider.parse_result(intent, {"x": value}).authentic != "yes"

    async def test_the_gateway_is_told_that_its_news_arrived(self, player: Player) -> None:
        assert 200 <= player.provider.webhook_reply().status < 300

    async def test_a_broken_gateway_decides_nothing(self, player: Player) -> None:
        intent = player.intent()
        await player.pay(await start(player, intent))
        player.misbehave("is broken")
        assert isinstance(await player.provider.query(intent), Unknown)
        player.misbehave("nothing")
        assert isinstance(await player.provider.query(intent), Paid)

    async def test_all_of_a_sale_goes_back_once(self, player: Player) -> None:
        wanted = await self._paid(player)
        assert player.provider.can_refund
        done = await player.provider.refund(wanted)
        assert isinstance(done, Refunded)
        assert done.reference != wanted.receipt_reference
        repeated = msgspec.structs.replace(wanted, sent_at=wanted.created_at)
        again = await player.provider.refund(repeated)
        assert isinstance(again, Refunded)
        assert again.reference == done.reference
        more = msgspec.structs.replace(
            wanted, known=(done.reference,), known_dirhams=wanted.amount_dirhams
        )
        assert not isinstance(await player.provider.refund(more), Refunded)

    async def test_money_that_never_came_does_not_go_back(self, player: Player) -> None:
        wanted = await self._paid(player)
        other = msgspec.structs.replace(wanted, receipt_reference="404")
        assert not isinstance(await player.provider.refund(other), Refunded)
        much = msgspec.structs.replace(wanted, amount_dirhams=wanted.amount_dirhams + 1)
        assert not isinstance(await player.provider.refund(much), Refunded)
        assert isinstance(await player.provider.refund(wanted), Refunded)

    async def test_a_closed_provider_gives_nothing_back(self, player: Player) -> None:
        wanted = await self._paid(player)
        await player.provider.aclose()
        assert not isinstance(await player.provider.refund(wanted), Refunded)

    async def _paid(self, player: Player) -> RefundIntent:
        intent = player.intent()
        await player.pay(await start(player, intent))
        answer = await player.provider.query(intent)
        assert isinstance(answer, Paid)
        (receipt,) = answer.receipts
        return RefundIntent(
            reference=intent.reference,
            terminal=receipt.terminal,
            receipt_reference=receipt.provider_reference,
            receipt_dirhams=receipt.amount_dirhams,
            amount_dirhams=receipt.amount_dirhams,
            created_at=intent.created_at,
        )

    async def test_a_closed_provider_knows_nothing(self, player: Player) -> None:
        intent = player.intent()
        await player.provider.aclose()
        assert isinstance(await player.provider.query(intent), Unknown)

"""Events of the outbox: each handled once, tried again with growing pauses, kept when hopeless;
and the mails that follow from them.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa

from eishro.adapters.mail.outbox import OutboxMail
from eishro.cli.doctor import find_faults
from eishro.db import outbox
from eishro.db.outbox import Event
from eishro.db.statements import Batch, Query
from eishro.domain.messages.port import MailNotSent, Message
from eishro.domain.orders.model import Order
from eishro.flows.edit_store import CategoryChange, update_category
from eishro.flows.pay_order import check_payment
from eishro.flows.place_order import place_order
from eishro.flows.shop import NotOnce, Shop
from eishro.flows.start_payment import start_payment
from eishro.jobs import events
from eishro.jobs.work_off_events import handle_events
from tests.shops import TESTER, World, changed

pytestmark = pytest.mark.anyio

_ERROR = Query(
    sa.select(outbox.outbox.c.last_error),
    str,
    across_stores=True,
)
_TRIES = Query(
    sa.select(outbox.outbox.c.tries),
    int,
    across_stores=True,
)
_UNFINISHED = Query(
    sa.select(sa.func.count()).where(outbox.outbox.c.next_try_at.is_not(None)),
    int,
    across_stores=True,
)


class Recorder:
    """A handler that notes what it was given and fails for the subjects it is told."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.seen: list[tuple[str, datetime]] = []
        self.broken: set[str] = set()
        self.meanwhile: asyncio.Event | None = None
        monkeypatch.setattr(events, "HANDLERS", {"test.topic": (self.handle,)})

    async def handle(self, shop: Shop, event: Event) -> None:
        fails = event.subject_id in self.broken
        self.seen.append((event.subject_id, self.world.clock.now()))
        if self.meanwhile is not None:
            await self.meanwhile.wait()
        if fails:
            raise RuntimeError(f"{event.subject_id} is broken")

    @property
    def subjects(self) -> list[str]:
        """What was handled, in order."""
        return [subject for subject, _ in self.seen]

    async def has_begun(self, times: int) -> None:
        """Wait until so many events have been taken up."""
        async with asyncio.timeout(10):
            while len(self.seen) < times:
                await asyncio.sleep(0)

    async def publish(self, *subjects: str) -> None:
        at = self.world.clock.now()
        await self.world.db.commit(
            Batch(*(outbox.publish("test.topic", subject, at) for subject in subjects))
        )


@pytest.fixture
def recorder(world: World, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(world, monkeypatch)


async def test_an_event_is_handled_once(world: World, recorder: Recorder) -> None:
    await recorder.publish("a", "b")
    assert await handle_events(world.shop) == 2
    for _ in range(3):
        world.clock.turn(outbox.PAUSE_MAX)
        assert await handle_events(world.shop) == 0
    assert sorted(recorder.subjects) == ["a", "b"]


async def test_workers_side_by_side_do_nothing_twice(world: World, recorder: Recorder) -> None:
    subjects = [f"s{number:02}" for number in range(40)]
    await recorder.publish(*subjects)
    handled = await asyncio.gather(*(handle_events(world.shop) for _ in range(6)))
    assert sum(handled) == 40
    assert sorted(recorder.subjects) == subjects


async def test_an_event_is_left_alone_while_somebody_works_on_it(
    world: World, recorder: Recorder
) -> None:
    recorder.meanwhile = asyncio.Event()
    await recorder.publish("slow")
    slow = asyncio.ensure_future(handle_events(world.shop))
    await recorder.has_begun(1)
    world.clock.turn(outbox.LEASE - timedelta(microseconds=1))
    assert await handle_events(world.shop) == 0
    recorder.meanwhile.set()
    assert await slow == 1
    assert recorder.subjects == ["slow"]


async def test_the_event_of_a_worker_that_died_is_handled_when_its_lease_ends(
    world: World, recorder: Recorder
) -> None:
    await recorder.publish("orphan")
    (event,) = await world.db.all(outbox.DUE, now=world.clock.now(), limit=5)
    await world.db.commit(Batch(outbox.claim([event], world.clock.now())))  # and here it died
    assert await handle_events(world.shop) == 0
    world.clock.turn(outbox.LEASE)
    assert await handle_events(world.shop) == 1
    assert recorder.subjects == ["orphan"]


async def test_a_worker_that_overstays_its_lease_ends_nobody_else_s_work(
    world: World, recorder: Recorder
) -> None:
    recorder.meanwhile = asyncio.Event()
    recorder.broken = {"slow"}
    await recorder.publish("slow")
    overdue = asyncio.ensure_future(handle_events(world.shop))
    await recorder.has_begun(1)
    world.clock.turn(outbox.LEASE)
    recorder.broken = set()
    second = asyncio.ensure_future(handle_events(world.shop))
    await recorder.has_begun(2)
    recorder.meanwhile.set()
    # The first one fails, after its lease; the second one's success stands.
    assert (await overdue, await second) == (0, 1)
    assert await world.db.one(_UNFINISHED) == 0
    assert await world.db.one(_TRIES) == 2


async def test_a_failing_event_is_tried_again_with_growing_pauses_and_then_kept(
    world: World, recorder: Recorder
) -> None:
    recorder.broken = {"bad"}
    await recorder.publish("bad")
    while await world.db.one(_UNFINISHED):
        await handle_events(world.shop)
        world.clock.turn(timedelta(seconds=5))
        assert len(recorder.seen) <= outbox.TRIES_MAX
    times = [at for _, at in recorder.seen]
    pauses = [(b - a).total_seconds() for a, b in zip(times, times[1:], strict=False)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
    assert len(times) == outbox.TRIES_MAX
    (dead,) = await world.db.all(outbox.DEAD, dead=True, limit=5)
    assert (dead.subject_id, dead.tries) == ("bad", outbox.TRIES_MAX)
    assert await world.db.one(_ERROR) == "RuntimeError('bad is broken')"
    # The operator sees it.
    assert await find_faults(world.db) == [f"events nobody could work off: {dead.id}"]


async def test_an_event_that_recovers_is_not_kept(world: World, recorder: Recorder) -> None:
    recorder.broken = {"flaky"}
    await recorder.publish("flaky")
    for _ in range(outbox.TRIES_MAX - 1):
        await handle_events(world.shop)
        world.clock.turn(outbox.PAUSE_MAX)
    recorder.broken = set()
    assert await handle_events(world.shop) == 1
    assert await world.db.all(outbox.DEAD, dead=True, limit=5) == []
    assert await find_faults(world.db) == []
    assert await world.db.one(_UNFINISHED) == 0


async def test_a_failing_event_holds_up_no_other(world: World, recorder: Recorder) -> None:
    recorder.broken = {"bad"}
    await recorder.publish("bad", "good")
    assert await handle_events(world.shop) == 1
    await recorder.publish("later")
    assert await handle_events(world.shop) == 1
    assert sorted(recorder.subjects) == ["bad", "good", "later"]


async def test_more_events_than_one_turn_takes_are_all_handled(
    world: World, recorder: Recorder
) -> None:
    subjects = [f"s{number:03}" for number in range(230)]
    await recorder.publish(*subjects)
    assert [await handle_events(world.shop) for _ in range(4)] == [100, 100, 30, 0]
    assert sorted(recorder.subjects) == subjects


async def test_an_event_of_a_topic_without_a_handler_is_done(world: World) -> None:
    await world.db.commit(Batch(outbox.publish("nobody.cares", "s", world.clock.now())))
    assert await handle_events(world.shop) == 1
    assert await world.db.one(_UNFINISHED) == 0


async def test_a_long_error_is_cut(world: World, recorder: Recorder) -> None:
    recorder.broken = {"x" * 5_000}
    await recorder.publish("x" * 5_000)
    await handle_events(world.shop)
    error = await world.db.one(_ERROR)
    assert error is not None
    assert len(error) == 500


class Post:
    """Mail that notes what it is given, or fails as told."""

    def __init__(self, refusal: MailNotSent | None = None) -> None:
        self.sent: list[Message] = []
        self.refusal = refusal
        self.fails_for = ""

    async def send(self, message: Message) -> None:
        if self.refusal is not None:
            raise self.refusal
        if message.to == self.fails_for:
            raise MailNotSent("mailbox busy", again=True)
        self.sent.append(message)

    async def check(self) -> None:
        """Nothing to check."""

    async def aclose(self) -> None:
        """Nothing stays open."""


def _letters(world: World) -> Sequence[tuple[object, object, object]]:
    mail = world.shop.mail
    assert isinstance(mail, OutboxMail)
    return [(m["to"], m["subject"], m["text"]) for m in reversed(mail.newest())]


async def _placed(world: World, email: str | None, contact: str | None = None) -> Order:
    merchant = await world.merchant(contact_email=contact)
    assert merchant.store is not None
    await handle_events(changed(world.shop, mail=Post()))  # what registering leads to
    command = msgspec.structs.replace(
        world.command(await world.product(merchant.store.id, price=25_505)), customer_email=email
    )
    return (await place_order(world.shop, command, TESTER, NotOnce())).order


async def test_buyer_and_merchant_hear_of_a_new_order(world: World) -> None:
    order = await _placed(world, "buyer@example.ly")
    await handle_events(world.shop)
    to_buyer, to_merchant = _letters(world)
    assert to_buyer[0] == "buyer@example.ly"
    assert str(to_merchant[0]).startswith("merchant")
    for _, subject, text in (to_buyer, to_merchant):
        assert order.number in str(subject)
        assert "35.505" in str(text)
        assert "متجر" in str(text)


async def test_a_buyer_without_an_address_gets_no_mail_and_the_merchant_does(
    world: World,
) -> None:
    await _placed(world, None, contact="orders@example.ly")
    await handle_events(world.shop)
    assert [to for to, _, _ in _letters(world)] == ["orders@example.ly"]


async def test_both_hear_that_the_money_is_there(world: World) -> None:
    order = await _placed(world, "buyer@example.ly", contact="orders@example.ly")
    payment = await start_payment(world.shop, order.id, "moamalat", None, TESTER, NotOnce())
    await handle_events(changed(world.shop, mail=Post()))
    world.provider.pay(payment.reference, payment.amount_dirhams)
    for _ in range(3):  # asking again sends nothing again
        await check_payment(world.shop, payment.id)
        await handle_events(world.shop)
    letters = _letters(world)
    assert [to for to, _, _ in letters] == ["buyer@example.ly", "orders@example.ly"]
    assert all(order.number in str(s) and "35.505" in str(t) for _, s, t in letters)
    assert "paid" in str(letters[0][1])


async def test_mail_that_may_succeed_later_is_tried_again(world: World) -> None:
    await world.customer()
    down = Post(MailNotSent("connection refused", again=True))
    await handle_events(changed(world.shop, mail=down))
    assert await world.db.one(_UNFINISHED) == 1
    world.clock.turn(outbox.PAUSE_FIRST)
    up = Post()
    await handle_events(changed(world.shop, mail=up))
    (message,) = up.sent
    assert message.links[0] in message.text
    assert await world.db.one(_UNFINISHED) == 0


async def test_a_refused_address_is_not_tried_again(world: World) -> None:
    await world.customer()
    refusing = Post(MailNotSent("no such mailbox", again=False))
    assert await handle_events(changed(world.shop, mail=refusing)) == 1
    assert await world.db.one(_UNFINISHED) == 0
    assert await find_faults(world.db) == []


async def test_one_letter_that_fails_is_tried_again_alone(world: World) -> None:
    await _placed(world, "buyer@example.ly", contact="orders@example.ly")
    half = Post()
    half.fails_for = "orders@example.ly"
    await handle_events(changed(world.shop, mail=half))
    assert [m.to for m in half.sent] == ["buyer@example.ly"]
    world.clock.turn(outbox.PAUSE_FIRST)
    up = Post()
    await handle_events(changed(world.shop, mail=up))
    assert [m.to for m in up.sent] == ["orders@example.ly"]
    assert await world.db.one(_UNFINISHED) == 0


async def test_products_are_found_by_the_new_name_of_their_category(world: World) -> None:
    merchant = await world.merchant()
    assert merchant.store is not None
    store_id = merchant.store.id
    state = await world.product(store_id, name="كرسي", categories=["أثاث"])
    (category,) = state.categories
    client = world.client()

    async def found(words: str) -> list[int]:
        reply = await client.get("/api/products/search", params={"q": words})
        return [product["id"] for product in reply.json()["data"]]

    assert await found("أثاث") == [state.product.id]
    await update_category(world.shop, store_id, category.id, CategoryChange(name="مفروشات"), TESTER)
    await handle_events(world.shop)
    assert (await found("مفروشات"), await found("أثاث")) == ([state.product.id], [])

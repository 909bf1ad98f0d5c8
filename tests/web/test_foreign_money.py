"""What a gateway says of something else: money in a currency that nobody asked for, and answers
that move none but that people should know of.
"""

import msgspec
import pytest
import sqlalchemy as sa

from eishro.cli.doctor import find_faults
from eishro.db.audit import audit_records
from eishro.db.outbox import outbox
from eishro.db.statements import Query
from eishro.domain.payments import sql as payments
from eishro.domain.payments.port import Unknown
from eishro.flows.pay_order import check_payment
from eishro.jobs.ask_gateways import send_due_refunds
from tests.adapters.payments.test_hostile_replies import Hostile
from tests.adapters.payments.test_moamalat_life import MoamalatCashier
from tests.contracts.payment_life import open_till
from tests.shops import World
from tests.transferring import counter

pytestmark = pytest.mark.anyio

_TOLD = Query(
    sa.select(outbox.c.subject_id).where(outbox.c.topic == "payment.flagged"),
    str,
    across_stores=True,  # a test's look
)
_LINES = Query(
    sa.select(audit_records.c.changes).where(audit_records.c.action == "payment.flagged"),
    msgspec.json.decode,
    across_stores=True,
)


async def test_money_in_another_currency_is_kept_by_its_number_and_goes_back_so(
    world: World,
) -> None:
    async with open_till(world, MoamalatCashier()) as till:
        http = Hostile(till.http)
        till.restart(http)
        begun = await till.start()
        http.kind = "another currency"
        await till.act(begun, "pay")
        await till.look(begun["id"])
        http.kind = None
        where = f"/api/stores/{till.store_id}"
        review = await till.browser.get(f"{where}/payments/review", headers=till.owner)
        assert [(one["id"], one["review"]) for one in review.json()["data"]] == [
            (begun["id"], "amount_differs")
        ]
        assert (await till.order())["paymentStatus"] == "pending"
        for language, words in (
            ("en", "give the same sum back in EUR"),
            ("ar", "رد المبلغ نفسه بعملة EUR"),
        ):
            headers = {**till.owner, "Accept-Language": language}
            listed = await till.browser.get(f"{where}/suspense", headers=headers)
            (item,) = listed.json()["data"]
            assert (item["amount"], item["currency"]) == (begun["amount"], "EUR")
            assert item["proposal"]["action"] == "refund"
            assert words in item["proposal"]["reason"]
        path = f"{where}/suspense/{item['id']}/resolve"
        applied = await till.browser.put(
            path, json={"action": "apply", "orderId": till.order_id}, headers=till.owner
        )
        assert applied.json()["error"]["code"] == "SUSPENSE_DOES_NOT_FIT"
        back = await till.browser.put(path, json={"action": "refund"}, headers=till.owner)
        assert (back.status_code, back.json()["data"]["resolution"]) == (200, "refund")
        await world.settle()
        await send_due_refunds(world.shop)
        refunds = await till.browser.get(f"/api/orders/{till.order_id}/refunds", headers=till.owner)
        (refund,) = refunds.json()["data"]
        assert (refund["status"], refund["kind"]) == ("done", "suspense")
        assert await find_faults(world.db) == []


async def test_a_foreign_answer_flags_its_payment_once_and_the_truth_still_counts(
    world: World,
) -> None:
    desk = await counter(world)
    begun = await desk.start(await desk.order(method="moamalat"), "moamalat")
    payment = await payments.get_payment(world.db, begun["id"])
    foreign = Unknown("an order of somebody else", is_foreign=True)
    world.provider.answers[payment.reference] = foreign
    for _ in range(3):
        seen = await check_payment(world.shop, payment.id)
        assert (seen.status, seen.review) == ("action_required", "foreign_answer")
    assert await world.db.all(_TOLD) == [payment.id]
    (line,) = await world.db.all(_LINES)
    assert (line["reason"], line["said"]) == ("foreign_answer", foreign.reason)
    (flagged,) = await desk.get("/payments/review")
    assert (flagged["id"], flagged["review"]) == (payment.id, "foreign_answer")
    # People have seen it; what is said of a payment that is paid is left to reconciliation.
    noted = await desk.say(payment.id, "settle", outcome="noted", note="asked the gateway")
    assert noted.status_code == 200
    assert await desk.get("/payments/review") == []
    world.provider.pay(payment.reference, payment.amount_dirhams)
    assert (await check_payment(world.shop, payment.id)).status == "paid"
    world.provider.answers[payment.reference] = foreign
    assert (await check_payment(world.shop, payment.id)).review is None
    assert len(await world.db.all(_TOLD)) == 1
    assert await find_faults(world.db) == []


async def test_an_answer_that_is_only_not_there_yet_flags_nothing(world: World) -> None:
    desk = await counter(world)
    begun = await desk.start(await desk.order(method="moamalat"), "moamalat")
    assert (await check_payment(world.shop, begun["id"])).review is None
    assert await world.db.all(_TOLD) == []

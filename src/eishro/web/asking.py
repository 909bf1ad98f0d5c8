"""Asking a gateway because a browser has come with news: the browser waits a moment, the question
goes on without it, and a process has only so many of them on their way.

A gateway that never answers then costs a few waiting requests, not all of them: who comes beyond
is answered at once, and the sweep asks within seconds, since the news has been written down.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from eishro.domain.payments.model import Payment
from eishro.flows.pay_order import check_payment
from eishro.web.routes import Call

ANSWER_SECONDS = 4.0  # how long a browser waits for the gateway before it is told "soon"
QUESTIONS_MAX = 64  # begun by browsers and not answered, in one process
QUESTIONS_OF_ONE_MAX = 48  # to one gateway, so that those who paid elsewhere are heard
# Longer than any question takes: what is older was broken off with its invocation, on the edge.
QUESTION_LIFETIME = timedelta(minutes=2)

_T = TypeVar("_T")


async def ask_in_time(call: Call, payment: Payment) -> Payment:
    """The payment after the gateway's answer, or as it is where that is not waited for: its page
    then says that it is being checked, and asks again.
    """
    return await in_time(call, payment, lambda: check_payment(call.shop, payment.id)) or payment


async def in_time(
    call: Call, payment: Payment, ask: Callable[[], Coroutine[Any, Any, _T]]
) -> _T | None:
    """What the question about the payment gives, or None: it goes on without its browser, or
    there are too many of them and it was not asked at all.
    """
    questions, now = call.door.questions, call.shop.clock.now()
    for question, (_, since) in list(questions.items()):
        if now - since > QUESTION_LIFETIME:
            del questions[question]
    of_one = sum(provider == payment.provider for provider, _ in questions.values())
    if len(questions) >= QUESTIONS_MAX or of_one >= QUESTIONS_OF_ONE_MAX:
        return None
    asking = asyncio.ensure_future(ask())
    questions[asking] = (payment.provider, now)
    asking.add_done_callback(lambda done: questions.pop(done, None))
    try:
        await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
    finally:
        # Also where the browser has gone away meanwhile.
        if not asking.done():
            call.door.background(asking)
    return asking.result() if asking.done() else None

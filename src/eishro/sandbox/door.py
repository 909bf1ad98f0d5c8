"""`/sandbox` under `eishro dev`: the index, the mail outbox, the gateway simulators."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

import falcon.asgi
import structlog

from eishro.adapters.http import HttpxHttp
from eishro.adapters.mail.outbox import OutboxMail
from eishro.adapters.payments.moamalat import Config
from eishro.adapters.sms.outbox import OutboxSms
from eishro.errors import Words
from eishro.flows.shop import Shop
from eishro.outward import NoReply
from eishro.sandbox.moamalat import DECLINE_CARDS, Merchant, Simulator
from eishro.sandbox.moamalat_door import SimulatorDoor
from eishro.sandbox.simulators import SIMULATORS
from eishro.web.pages.sandbox import CONTENT_SECURITY_POLICY, TestCard, render_sandbox_index

_LOG = structlog.get_logger("eishro.sandbox")
MAILS_SHOWN = 100
NOTIFY_TRIES = 5
_LINKS = (
    ("/sandbox/mail", "صندوق البريد (JSON)", "Mail outbox (JSON)"),
    ("/sandbox/sms", "الرسائل القصيرة (JSON)", "Text messages (JSON)"),
    ("/sandbox/moamalat/faults", "أعطال محاكي معاملات", "Faults of the Moamalat simulator"),
    ("/sandbox/bank_transfer", "مصرف التجربة (تحويلات)", "Demo bank (transfers)"),
    ("/sandbox/plutu", "محاكي بلوتو: بيانات التجربة", "Plutu simulator: test data"),
    ("/docs", "توثيق الواجهة", "API documentation"),
    ("/api/stores", "المتاجر", "Stores"),
)
# The pages of simulators, linked where they stand.
_BESIDE = {
    "edfali": ("/sandbox/edfali", "محاكي ادفع لي", "Edfali simulator"),
    "masarat": ("/sandbox/masarat", "محاكي ون باي (مسارات)", "OnePay (Masarat) simulator"),
    "mpgs": ("/sandbox/mpgs", "محاكي بوابة ماستركارد", "Mastercard gateway simulator"),
    "mobicash": ("/sandbox/mobicash", "محاكي موبي كاش", "MobiCash simulator"),
    "sadad": ("/sandbox/sadad", "محاكي سداد", "Sadad simulator"),
    "tlync": ("/sandbox/tlync", "محاكي تي لينك (تداول)", "T-Lync simulator (Tadawul)"),
}


def add_sandbox(
    app: Any,
    shop: Shop,
    config: Config,
    simulator_url: str,
    gateways: Mapping[str, Mapping[str, str]],
) -> Callable[[], Awaitable[None]]:
    """Add the sandbox's routes; Moamalat's simulator stands at `simulator_url`, those of the other
    `gateways` (fields by provider) beside it.

    Returns: what to await when the server stops.
    """
    http = HttpxHttp()
    webhook = f"{shop.rules.public_url}/api/webhooks/payments/moamalat"

    async def notify(body: dict[str, Any]) -> None:
        for attempt in range(NOTIFY_TRIES):
            try:
                reply = await http.post_json(webhook, body)
            except NoReply as error:
                _LOG.warning("notification_not_delivered", error=str(error))
            else:
                if reply.status == 200:
                    return
            await asyncio.sleep(2**attempt)

    merchant = Merchant(
        config.merchant_id, config.terminal_id, config.secret_key, config.notification_key
    )
    simulator = Simulator(merchant, shop.clock, notify)
    SimulatorDoor(simulator).add_routes(app, simulator_url.removeprefix(shop.rules.public_url))
    others = [
        (provider, SIMULATORS[provider](fields, shop.clock, http))
        for provider, fields in gateways.items()
        if provider in SIMULATORS
    ]
    for provider, other in others:
        other.add_routes(app, f"/sandbox/{provider}")
    app.add_route("/sandbox", _Index((*_LINKS, *(_BESIDE[p] for p, _ in others if p in _BESIDE))))
    app.add_route("/sandbox/mail", _Mails(shop))
    app.add_route("/sandbox/sms", _Texts(shop))

    async def close() -> None:
        await simulator.aclose()
        for _, other in others:
            await other.aclose()
        await http.aclose()

    return close


class _Index:
    def __init__(self, links: Sequence[tuple[str, str, str]]) -> None:
        self._links = links

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        own = [
            TestCard(number, "", Words(f"declined: {text}", f"مرفوضة: {text}"))
            for number, (_, text) in DECLINE_CARDS.items()
        ]
        response.content_type = "text/html; charset=utf-8"
        response.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        language: Literal["ar", "en"] = "en" if request.params.get("lang") == "en" else "ar"
        response.data = render_sandbox_index(self._links, language=language, own_cards=own)


class _Mails:
    """The development outbox as JSON, newest first."""

    def __init__(self, shop: Shop) -> None:
        self._mail = shop.mail

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        mail = self._mail
        shown = mail.newest(MAILS_SHOWN) if isinstance(mail, OutboxMail) else []
        response.media = shown


class _Texts:
    """The development outbox of short messages as JSON, newest first."""

    def __init__(self, shop: Shop) -> None:
        self._sms = shop.sms

    async def on_get(self, _: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        sms = self._sms
        response.media = sms.newest(MAILS_SHOWN) if isinstance(sms, OutboxSms) else []

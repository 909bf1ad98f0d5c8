"""The hosted payment page `/pay/:paymentId`: any action, Arabic and English, mobile first.

The server renders the present state; `static/pay.js` runs the action and follows the payment.
The page holds no customer data, and its address (the payment id is the secret) is sent to
nobody: no referrer. Lightbox as in payments.md 1.3 and 1.9.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from eishro.addresses import origin_of
from eishro.domain.orders.model import COD
from eishro.domain.payments.again import OVER
from eishro.domain.payments.model import CODE_TRIES_MAX, Status
from eishro.domain.payments.port import Action, Lightbox, Offline, Otp, Redirect
from eishro.errors import Words
from eishro.web.pages.assets import read_asset
from eishro.web.pages.pay_facts import facts_of, qr_picture
from eishro.web.pages.pay_words import (
    CASH,
    CLOSED,
    LABELS,
    METHODS,
    NOTICES,
    NOTICES_OF,
    PHASES,
    SHOWN,
)
from eishro.web.pages.rendering import (
    LIBYA,
    Language,
    amount_text,
    check_nonce,
    currency_name,
    currency_text,
    json_for_html,
    render,
    time_text,
    web_address,
)

__all__ = ["PayPageView", "content_security_policy", "read_asset", "render_pay_page"]


class PayPageView(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows. `amount_dirhams` are minor units of `currency`; `expires_at` is aware
    UTC; `return_url` leads back to the shop and is dropped unless it is http or https. `now` is the
    server's clock, `tries_left` counts one-time codes, and `failure` is the reason for a no.
    `again`: whether the order can be paid by another attempt; None: nobody has looked.
    """

    payment_id: str
    order_number: str
    store_name: str
    method: str
    status: Status
    amount_dirhams: int
    currency: str
    action: Action | None
    expires_at: datetime | None
    return_url: str | None
    now: datetime | None = None
    tries_left: int = CODE_TRIES_MAX
    failure: str | None = None
    again: bool | None = None


def render_pay_page(view: PayPageView, *, language: Language, nonce: str) -> bytes:
    """The page as UTF-8 HTML, to be sent with `content_security_policy(nonce, …)`.

    Raises:
        ValueError: the nonce does not fit a policy.
    """
    kind = _kind_of(view.action)
    phase = _phase_of(view.status, kind)
    phases = _phases_for(view, kind)
    headline, detail = phases[phase]
    offline = view.action if isinstance(view.action, Offline) else None
    amount = amount_text(view.amount_dirhams, view.currency)
    return render(
        "pay.html",
        language=language,
        nonce=check_nonce(nonce),
        view=view,
        kind=kind,
        phase=phase,
        headline=headline.in_(language),
        detail=detail.in_(language),
        label={name: words.in_(language) for name, words in LABELS.items()},
        method=method_name(view.method, language),
        amount=amount,
        currency=currency_text(view.currency, language),
        currency_name=currency_name(view.currency, language),
        expires=None if view.expires_at is None else time_text(view.expires_at),
        redirect_url=web_address(view.action.url) if isinstance(view.action, Redirect) else None,
        return_url=web_address(view.return_url),
        facts=facts_of(offline, language) if offline else [],
        instructions=_instructions(view, offline, language) if offline else "",
        unchecked=offline is not None and "accountIsUnchecked" in offline.details,
        qr=qr_picture(offline.qr) if offline and offline.qr else None,
        shows_again=view.again is not False and (phase in OVER or phase == "ready_otp"),
        today=None if view.now is None else f"{view.now.astimezone(LIBYA):%Y-%m-%d}",
        payload=json_for_html(_for_script(view, kind, phase, phases, language)),
    )


def content_security_policy(nonce: str, script_origin: str | None) -> str:
    """The policy of the payment page and of message pages.

    Args:
        nonce: as given to `render_pay_page`.
        script_origin: the gateway script's origin or whole address, None without a lightbox.

    Raises:
        ValueError: the nonce or the address does not fit a policy.
    """
    check_nonce(nonce)
    gateway = ""
    directives = ["default-src 'none'"]
    if script_origin is not None:
        origin = origin_of(script_origin)
        if origin is None:
            raise ValueError("the gateway's script needs an http or https address")
        gateway = f" {origin}"
    directives += [
        f"script-src 'self' 'nonce-{nonce}'{gateway}",
        "style-src 'self'",
        f"connect-src 'self'{gateway}",
        f"frame-src 'self'{gateway}",
        "img-src 'self' data:",
        # A gateway's script may post a form into its own frame.
        f"form-action{gateway}" if gateway else "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if gateway:
        # Lightboxes place their frame with a style attribute. Attributes alone are allowed, and
        # no text of this page ever becomes markup.
        directives.append("style-src-attr 'unsafe-inline'")
    return "; ".join(directives)


def method_name(method: str, language: Language) -> str:
    """What people call it."""
    return METHODS.get(method, Words(method, method)).in_(language)


def _is_said(notice: str, kind: str) -> bool:
    """A page stays light without what another kind of action would say."""
    return notice in NOTICES_OF.get(kind, ()) or not any(notice in n for n in NOTICES_OF.values())


def _kind_of(action: Action | None) -> str:
    if isinstance(action, Lightbox):
        return "lightbox" if web_address(action.script_url) else "none"
    if isinstance(action, Redirect):
        return "redirect" if web_address(action.url) else "none"
    if isinstance(action, Otp):
        return "otp"
    return "offline" if isinstance(action, Offline) else "none"


def _phase_of(status: Status, kind: str) -> str:
    """The first phase; `pay.js` decides the following ones by the same rule."""
    if status in ("created", "action_required"):
        return "created" if kind == "none" else f"ready_{kind}"
    return status


def _phases_for(view: PayPageView, kind: str) -> dict[str, tuple[Words, Words]]:
    """What this payment may come to. A transfer is looked at by people."""
    found = {p: w for p, w in PHASES.items() if not p.startswith("ready_") or p == f"ready_{kind}"}
    if isinstance(view.action, Offline):
        found |= SHOWN
    if view.again is False:
        found |= {phase: (found[phase][0], CLOSED) for phase in OVER}
    return found


def _instructions(view: PayPageView, action: Offline, language: Language) -> str:
    if view.method == COD:
        amount = amount_text(view.amount_dirhams, view.currency)
        currency = currency_name(view.currency, language)
        return CASH.in_(language).format(amount=amount, currency=currency)
    return action.instructions


def _can_retry(action: Action | None) -> bool:
    """Whether the same attempt goes on after a no: another card, another transfer. The page of a
    gateway that has said no is often a dead end, so nobody is sent there again.
    """
    if isinstance(action, Offline):
        return action.takes_proof
    return isinstance(action, Lightbox)


def _for_script(
    view: PayPageView,
    kind: str,
    phase: str,
    phases: Mapping[str, tuple[Words, Words]],
    language: Language,
) -> object:
    action: dict[str, object] = {"kind": kind}
    if kind != "none" and _can_retry(view.action):
        action |= {"canRetry": True}
    if isinstance(view.action, Lightbox) and kind == "lightbox":
        action |= {"scriptUrl": view.action.script_url, "parameters": view.action.parameters}
    elif isinstance(view.action, Otp):
        action |= {
            "length": view.action.length,
            "expiresAt": view.action.expires_at,
            "resendAt": view.action.resend_at,
            "triesLeft": view.tries_left,
        }
    return {
        "id": view.payment_id,
        "api": f"/api/payments/{quote(view.payment_id, safe='')}",
        "language": language,
        "status": view.status,
        "phase": phase,
        "isEarly": view.action is None,
        "failure": view.failure or "",
        "now": None if view.now is None else view.now.astimezone(UTC),
        "action": action,
        "phases": {p: [words.in_(language) for words in both] for p, both in phases.items()},
        "notices": {n: words.in_(language) for n, words in NOTICES.items() if _is_said(n, kind)},
    }

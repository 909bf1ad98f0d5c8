"""The forms behind the links of mails: a new password, an invitation to a store."""

from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from eishro.domain.accounts import sql as accounts
from eishro.domain.accounts.model import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from eishro.domain.stores import sql as stores
from eishro.errors import Invalid, ShopError, Words
from eishro.flows import edit_staff, recover_account
from eishro.flows.edit_staff import Newcomer
from eishro.web.errors import status_of
from eishro.web.pages.account import POLICY, render_account_page
from eishro.web.routes import Call, Raw
from eishro.web.system import message_page, page_language

TOKEN_LENGTH_MAX = 2_000
_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}
_RESET = Words("Choose a new password", "اختر كلمة مرور جديدة")
_OLD_LINK = Words("This link is not valid any more.", "لم يعد هذا الرابط صالحا.")
_NOTHING = Words("", "")
_LENGTH = Words(
    f"The password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters.",
    f"كلمة المرور من {PASSWORD_LENGTH_MIN} إلى {PASSWORD_LENGTH_MAX} حرفا.",
)


class LinkQuery(msgspec.Struct, frozen=True, rename="camel"):
    """The token of a mail's link, and the language where the link chooses it."""

    token: Annotated[str, Meta(max_length=TOKEN_LENGTH_MAX)] = ""
    lang: str | None = None


class _Sent(msgspec.Struct, frozen=True):
    token: str
    password: str
    first_name: str
    language: str


async def reset_page(call: Call, query: LinkQuery) -> Raw:
    """Where the link of a reset mail leads."""
    language = page_language(call, query.lang)
    return _form(_RESET, _NOTHING, "/reset-password", query.token, language)


async def reset(call: Call) -> Raw:
    """The form of that page."""
    sent = _sent(call)
    if not PASSWORD_LENGTH_MIN <= len(sent.password) <= PASSWORD_LENGTH_MAX:
        return _again(_RESET, "/reset-password", sent, _LENGTH.in_(sent.language))
    try:
        await recover_account.reset_password(call.shop, sent.token, sent.password, call.actor)
    except Invalid as error:
        if "password" not in error.faults:
            return message_page(call, _OLD_LINK, _NOTHING, sent.language, status=422)
        fault = error.faults["password"].in_(sent.language)
        return _again(_RESET, "/reset-password", sent, fault)
    title = Words("Your password is changed.", "تم تغيير كلمة المرور.")
    return message_page(call, title, _NOTHING, sent.language)


async def invitation_page(call: Call, query: LinkQuery) -> Raw:
    """Where the link of an invitation leads."""
    language = page_language(call, query.lang)
    try:
        found = await edit_staff.find_invited(call.shop, query.token, call.actor)
    except ShopError as error:
        return message_page(call, _OLD_LINK, _NOTHING, language, status=status_of(error))
    store = await stores.get_store(call.shop.db, found.store_id)
    title = Words(f"Work in {store.name}", f"العمل في متجر {store.name}")
    if await accounts.find_user_by_email(call.shop.db, found.email) is not None:
        text = Words(
            "Sign in to your account and accept the invitation there.",
            "سجل الدخول إلى حسابك واقبل الدعوة من هناك.",
        )
        return message_page(call, title, text, language)
    text = Words("Choose a password for your new account.", "اختر كلمة مرور لحسابك الجديد.")
    return _form(title, text, "/invitation", query.token, language, asks_name=True)


async def accept(call: Call) -> Raw:
    """The form of that page."""
    sent = _sent(call)
    title = Words("Join the store", "الانضمام إلى المتجر")
    if not PASSWORD_LENGTH_MIN <= len(sent.password) <= PASSWORD_LENGTH_MAX:
        return _again(title, "/invitation", sent, _LENGTH.in_(sent.language))
    newcomer = Newcomer(sent.password, sent.first_name, "")
    try:
        await edit_staff.accept(call.shop, sent.token, None, newcomer, call.actor)
    except Invalid as error:
        if "password" in error.faults:
            fault = error.faults["password"].in_(sent.language)
            return _again(title, "/invitation", sent, fault)
        return message_page(call, error.faults["token"], _NOTHING, sent.language, status=422)
    except ShopError as error:
        return message_page(call, error.words, _NOTHING, sent.language, status=status_of(error))
    return message_page(
        call,
        Words("Welcome. You can sign in now.", "مرحبا بك. يمكنك تسجيل الدخول الآن."),
        _NOTHING,
        sent.language,
    )


def _sent(call: Call) -> _Sent:
    """The form's fields; what is missing or repeated is empty."""
    try:
        fields = parse_qs(call.body_bytes.decode(), max_num_fields=20)
    except ValueError:
        fields = {}
    one = {name: values[0] for name, values in fields.items() if len(values) == 1}
    name = "".join(c for c in one.get("firstName", "") if c.isprintable())[:200]
    return _Sent(
        token=one.get("token", "")[:TOKEN_LENGTH_MAX],
        password=one.get("password", ""),
        first_name=name,
        language=page_language(call, one.get("lang")),
    )


def _form(
    title: Words, text: Words, action: str, token: str, language: str, *, asks_name: bool = False
) -> Raw:
    body = render_account_page(
        title, text, action=action, token=token, language=language, asks_name=asks_name
    )
    return Raw(body, _HTML, headers=_HEADERS)


def _again(title: Words, action: str, sent: _Sent, fault: str) -> Raw:
    body = render_account_page(
        title,
        _NOTHING,
        action=action,
        token=sent.token,
        language=sent.language,
        asks_name=action == "/invitation",
        fault=fault,
    )
    return Raw(body, _HTML, status=422, headers=_HEADERS)

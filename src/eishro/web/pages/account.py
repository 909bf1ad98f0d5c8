"""Pages that links of mails lead to: choose a new password, join a store. Forms without script."""

from eishro.errors import Words
from eishro.web.pages.rendering import as_language, render

_WORDS = {
    "password": Words("New password", "كلمة مرور جديدة"),
    "rule": Words("(at least 10 characters)", "(10 أحرف على الأقل)"),
    "first_name": Words("Your name", "اسمك"),
    "send": Words("Save", "حفظ"),
}

POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def render_account_page(
    title: Words,
    text: Words,
    *,
    action: str,
    token: str,
    language: str,
    asks_name: bool = False,
    fault: str = "",
) -> bytes:
    """A form with a password, and a name where there is no account yet; it is sent to `action`."""
    first = as_language(language)
    return render(
        "account.html",
        language=first,
        title=title.in_(first),
        text=text.in_(first),
        words={name: words.in_(first) for name, words in _WORDS.items()},
        action=action,
        token=token,
        asks_name=asks_name,
        fault=fault,
    )

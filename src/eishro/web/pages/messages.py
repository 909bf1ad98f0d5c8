"""A page that says one thing: an unknown payment, a confirmed address, an old link."""

from eishro.errors import Words
from eishro.web.pages.rendering import as_language, render


def render_message_page(title_words: Words, body_words: Words, language: str) -> bytes:
    """The message in `language` (English where it is `en`, else Arabic) and, smaller, in the
    other one, since a link in a mail tells little about its reader.

    Needs no script; `pay.content_security_policy(nonce, None)` suits it.
    """
    first = as_language(language)
    languages = (first, "ar" if first == "en" else "en")
    return render(
        "message.html",
        language=first,
        title=title_words.in_(first),
        parts=[(code, title_words.in_(code), body_words.in_(code)) for code in languages],
    )

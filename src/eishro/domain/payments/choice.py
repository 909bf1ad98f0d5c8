"""Why a way to pay is not offered, or does not do now: a code, and words for people. Pure."""

from typing import NamedTuple

from eishro.domain.payments.port import PaymentMethod
from eishro.errors import Words
from eishro.money import decimal_from_dirhams


class Reason(NamedTuple):
    """`code` is for programs and never changes."""

    code: str
    words: Words


NOT_CHOSEN = Reason(
    "not_chosen",
    Words(
        "The store's settings name the methods it offers, and this one is not among them.",
        "إعدادات المتجر تحدد طرق الدفع المتاحة، وهذه الطريقة ليست منها.",
    ),
)
NO_CREDENTIALS = Reason(
    "no_credentials",
    Words(
        "Neither the store nor the platform has credentials for its gateway.",
        "لا توجد لدى المتجر ولا لدى المنصة بيانات دخول لبوابة الدفع هذه.",
    ),
)
NO_ACCOUNT = Reason(
    "no_account",
    Words(
        "There is no account to transfer to, or none that a code to scan can name.",
        "لا يوجد حساب يُحوَّل إليه، أو لا يوجد حساب يصلح لرمز المسح.",
    ),
)
NO_RATE = Reason(
    "no_rate",
    Words(
        "It is settled in dollars, and the platform has no rate for them.",
        "تُسوّى هذه الطريقة بالدولار، ولا يوجد لدى المنصة سعر صرف له.",
    ),
)


def amount_reason(method: PaymentMethod, dirhams: int, most_dirhams: int) -> Reason | None:
    """Why the method cannot carry this amount to the dirham, None where it can. `most_dirhams` is
    what it carries in the store.
    """
    if dirhams < method.least_dirhams:
        least = decimal_from_dirhams(method.least_dirhams)
        return Reason(
            "amount_too_small",
            Words(f"It carries no less than {least} LYD.", f"أقل مبلغ لها {least} د.ل."),
        )
    if dirhams > most_dirhams:
        largest = decimal_from_dirhams(most_dirhams)
        return Reason(
            "amount_too_large",
            Words(f"It carries no more than {largest} LYD.", f"أكبر مبلغ لها {largest} د.ل."),
        )
    if dirhams % method.step_dirhams:
        step = decimal_from_dirhams(method.step_dirhams)
        return Reason(
            "amount_step",
            Words(
                f"It carries only multiples of {step} LYD, and nothing is rounded.",
                f"لا تقبل إلا مضاعفات {step} د.ل، ولا يُقرَّب أي مبلغ.",
            ),
        )
    return None


def silent_reason(seconds_left: int) -> Reason:
    """Its gateway has not answered for a while."""
    return Reason(
        "gateway_silent",
        Words(
            f"Its gateway has not been answering; new payments may try again in {seconds_left} s.",
            f"بوابة الدفع لا تستجيب؛ يمكن المحاولة مجددا بعد {seconds_left} ثانية.",
        ),
    )

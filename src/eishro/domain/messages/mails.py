"""The words of the mails the shop sends, Arabic first, English below."""

from eishro.domain.messages.port import Message

_BRAND = "EISHRO"


def verification(to: str, link: str) -> Message:
    """Asks a new user to confirm the address."""
    return _both(
        to,
        "تأكيد البريد الإلكتروني | Confirm your e-mail address",
        f"مرحبا بك في {_BRAND}. لتأكيد بريدك الإلكتروني افتح الرابط التالي:",
        f"Welcome to {_BRAND}. Open this link to confirm your e-mail address:",
        link,
    )


def order_placed(to: str, store: str, number: str, total: str) -> Message:
    """Tells a buyer that the order has arrived."""
    return _both(
        to,
        f"تم استلام طلبك {number} | Your order {number}",
        f"شكرا لك. استلم متجر {store} طلبك رقم {number} بقيمة {total} د.ل.",
        f"Thank you. {store} has received your order {number} over LYD {total}.",
        None,
    )


def order_paid(to: str, store: str, number: str, total: str) -> Message:
    """Tells a buyer that the money has arrived."""
    return _both(
        to,
        f"تم دفع طلبك {number} | Your order {number} is paid",
        f"تأكد دفع {total} د.ل لطلبك رقم {number} من متجر {store}.",
        f"Your payment of LYD {total} for order {number} at {store} has arrived.",
        None,
    )


def order_received(to: str, store: str, number: str, total: str, *, paid: bool) -> Message:
    """Tells a merchant about a new or paid order."""
    event_ar = "طلب مدفوع" if paid else "طلب جديد"
    event_en = "Paid order" if paid else "New order"
    return _both(
        to,
        f"{event_ar} {number} | {event_en} {number}",
        f"{event_ar} رقم {number} في متجر {store} بقيمة {total} د.ل.",
        f"{event_en} {number} at {store}, LYD {total}.",
        None,
    )


def _both(to: str, subject: str, arabic: str, english: str, link: str | None) -> Message:
    parts = [arabic, link, english, link] if link else [arabic, english]
    return Message(
        to=to,
        subject=subject,
        text="\n\n".join(part for part in parts if part) + "\n",
        links=(link,) if link else (),
    )

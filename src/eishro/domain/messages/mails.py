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


def password_reset(to: str, link: str) -> Message:
    """A link for a new password."""
    return _both(
        to,
        "كلمة مرور جديدة | A new password",
        "لاختيار كلمة مرور جديدة افتح الرابط التالي خلال ساعة. إذا لم تطلب ذلك فتجاهل الرسالة.",
        "Open this link within an hour to choose a new password. If you did not ask, ignore it.",
        link,
    )


def password_changed(to: str) -> Message:
    """Tells that the password was changed."""
    return _both(
        to,
        "تم تغيير كلمة المرور | Your password was changed",
        "تم تغيير كلمة مرور حسابك. إذا لم تكن أنت فاطلب كلمة مرور جديدة فورا.",
        "The password of your account was changed. If it was not you, reset it at once.",
        None,
    )


def email_changed(to: str) -> Message:
    """Tells the old address that the account has another one."""
    return _both(
        to,
        "تم تغيير بريد حسابك | Your account has a new address",
        "أصبح لحسابك بريد إلكتروني آخر. إذا لم تكن أنت فاتصل بنا فورا.",
        "Your account has another e-mail address now. If it was not you, write to us at once.",
        None,
    )


def account_erased(to: str) -> Message:
    """Tells that the account and what was kept of the person are gone."""
    return _both(
        to,
        "تم حذف حسابك | Your account is deleted",
        f"تم حذف حسابك وبياناتك الشخصية من {_BRAND}. إذا لم تكن أنت فاتصل بنا فورا.",
        f"Your account and your personal data at {_BRAND} are deleted. If it was not you, write to "
        "us at once.",
        None,
    )


def acted_for(to: str, reason: str) -> Message:
    """Tells that an operator acts in the person's name."""
    return _both(
        to,
        "دخل مشرف المنصة إلى حسابك | An operator is using your account",
        f"دخل أحد مشرفي {_BRAND} إلى حسابك مؤقتا. السبب: {reason}",
        f"An operator of {_BRAND} is using your account for a while. The reason: {reason}",
        None,
    )


def invitation(to: str, store: str, link: str) -> Message:
    """Invites somebody to work in a store."""
    return _both(
        to,
        f"دعوة للعمل في متجر {store} | An invitation from {store}",
        f"دعاك متجر {store} للعمل معه على {_BRAND}. لقبول الدعوة افتح الرابط التالي خلال أسبوع:",
        f"{store} invites you to work with them on {_BRAND}. Open this link within a week:",
        link,
    )


_STANDINGS = {
    "approved": ("تمت الموافقة على متجر", "is approved"),
    "pending": ("قيد المراجعة متجر", "is being looked at"),
    "rejected": ("لم تتم الموافقة على متجر", "is not approved"),
    "suspended": ("تم إيقاف متجر", "is suspended"),
}


def store_standing(to: str, store: str, standing: str, reason: str) -> Message:
    """Tells what the platform decided about a store."""
    arabic, english = _STANDINGS[standing]
    return _both(
        to,
        f"{arabic} {store} | {store} {english}",
        f"{arabic} {store}. {reason}".strip(),
        f"{store} {english}. {reason}".strip(),
        None,
    )


def bank_account_changed(to: str, store: str) -> Message:
    """Tells that payouts of the store go to another account."""
    return _both(
        to,
        f"تغيير الحساب المصرفي لمتجر {store} | The bank account of {store} was changed",
        f"تم تغيير الحساب الذي تحول إليه أموال متجر {store}. إذا لم تكن أنت فاتصل بنا فورا.",
        f"Payouts of {store} go to another bank account now. If it was not you, write to us at "
        "once.",
        None,
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


def order_changed(to: str, store: str, number: str, total: str, due: str | None) -> Message:
    """Tells who has paid for an order that it costs something else now; `due` what is missing."""
    arabic = f"غيّر متجر {store} طلبك رقم {number}، وأصبحت قيمته {total} د.ل."
    english = f"{store} has changed your order {number}; it costs LYD {total} now."
    if due is not None:
        arabic += f" المتبقي للدفع {due} د.ل."
        english += f" LYD {due} are still to be paid."
    return _both(
        to, f"تغيير طلبك {number} | Your order {number} was changed", arabic, english, None
    )


def order_refunded(to: str, store: str, number: str, amount: str) -> Message:
    """Tells a buyer that money has gone back."""
    return _both(
        to,
        f"استرجاع مبلغ من طلبك {number} | A refund for your order {number}",
        f"أعاد إليك متجر {store} مبلغ {amount} د.ل من طلبك رقم {number}.",
        f"{store} has paid LYD {amount} of your order {number} back to you.",
        None,
    )


def order_shipped(to: str, store: str, number: str, parcels: list[str], *, whole: bool) -> Message:
    """Tells a buyer that goods are on their way; `parcels` are carriers and tracking numbers."""
    listed = "\n".join(parcels)
    arabic = "تم شحن طلبك" if whole else "تم شحن جزء من طلبك"
    english = "has shipped your order" if whole else "has shipped a part of your order"
    return _both(
        to,
        f"{arabic} {number} | Your order {number} is on its way",
        f"{arabic} رقم {number} من متجر {store}.\n{listed}".strip(),
        f"{store} {english} {number}.\n{listed}".strip(),
        None,
    )


def order_delivered(to: str, store: str, number: str) -> Message:
    """Tells a buyer that the order was delivered."""
    return _both(
        to,
        f"تم تسليم طلبك {number} | Your order {number} was delivered",
        f"تم تسليم طلبك رقم {number} من متجر {store}. شكرا لك.",
        f"Your order {number} from {store} was delivered. Thank you.",
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

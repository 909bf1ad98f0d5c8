"""The words of the short messages the shop sends: both languages in few characters."""

from eishro.domain.messages.sms_port import Sms


def phone_code(to: str, code: str) -> Sms:
    """The code that proves a telephone."""
    return Sms(to=to, text=f"EISHRO: رمز التحقق {code} صالح 10 دقائق | code {code}, 10 minutes")

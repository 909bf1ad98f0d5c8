"""Moamalat's credentials as data, and what the vendor publishes for tests."""

from eishro.domain.payments.gateways import Field

TEST_MERCHANT_ID = "10081014649"
TEST_TERMINAL_ID = "99179395"
# Both keys that the vendor's pages and SDKs publish for the test merchant; which one its gateway
# takes has changed before.
TEST_SECRET_KEYS = (
    "39636630633731362D663963322D346362642D386531662D633963303432353936373431",
    "3a488a89b3f7993476c252f017c488bb",
)


FIELDS = (
    Field(
        name="merchant_id",
        about="Merchant number (MID).",
        sandbox=TEST_MERCHANT_ID,
        published=(TEST_MERCHANT_ID,),
        is_required=True,
    ),
    Field(
        name="terminal_id",
        about="Terminal number (TID).",
        sandbox=TEST_TERMINAL_ID,
        is_required=True,
    ),
    Field(
        name="secret_key",
        about="Secure key, hexadecimal.",
        sandbox=TEST_SECRET_KEYS[0],
        published=TEST_SECRET_KEYS,
        is_secret=True,
        is_required=True,
    ),
    Field(
        name="notification_key",
        about="Key of notifications, hexadecimal; empty: the secure key.",
        published=TEST_SECRET_KEYS,
        is_secret=True,
    ),
    Field(name="base_url", about="REST base address."),
    Field(name="lightbox_url", about="Address of the lightbox script."),
    Field(
        name="stamp_digits",
        about="Digits of DateTimeLocalTrxn in REST calls.",
        default="14",
        choices=("14", "17"),
    ),
)

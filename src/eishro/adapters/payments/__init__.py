"""Payment providers that are built in: one file for each gateway, one row here."""

from eishro.domain.payments.port import PaymentMethod

METHODS: tuple[PaymentMethod, ...] = (
    PaymentMethod(
        "moamalat",
        "lightbox",
        "بطاقة مصرفية (معاملات)",
        "Bank card (Moamalat)",
        "moamalat",
        least_dirhams=1,
        most_dirhams=999_999_999_999,  # twelve digits on the card networks
    ),
    PaymentMethod("cod", "offline", "الدفع عند الاستلام", "Cash on delivery", None),
)

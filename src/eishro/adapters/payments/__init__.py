"""Payment gateways that are built in: one file for each, one row here."""

from eishro.adapters.payments import moamalat
from eishro.domain.payments.gateways import Gateway
from eishro.domain.payments.port import PaymentMethod

GATEWAYS: tuple[Gateway, ...] = (moamalat.GATEWAY,)
COD = PaymentMethod("cod", "offline", "الدفع عند الاستلام", "Cash on delivery", None)
METHODS: tuple[PaymentMethod, ...] = (*(m for g in GATEWAYS for m in g.methods), COD)

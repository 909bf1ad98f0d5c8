"""Payment gateways that are built in: one file for each, one row here."""

from eishro.adapters.payments import (
    bank_transfer,
    edfali,
    masarat,
    moamalat,
    mobicash,
    mpgs,
    plutu_account,
    sadad,
    tlync,
)
from eishro.domain.payments.gateways import Gateway
from eishro.domain.payments.port import PaymentMethod

GATEWAYS: tuple[Gateway, ...] = (
    bank_transfer.GATEWAY,
    edfali.GATEWAY,
    masarat.GATEWAY,
    moamalat.GATEWAY,
    mobicash.GATEWAY,
    mpgs.GATEWAY,
    plutu_account.GATEWAY,
    sadad.GATEWAY,
    tlync.GATEWAY,
)
COD = PaymentMethod("cod", "offline", "الدفع عند الاستلام", "Cash on delivery", None)

# MobiCash has no papers of its own: without credentials for it, its payers are sent to a gateway
# that has it on its page. The first row of a name that can be used counts.
DETOURS = tuple(
    PaymentMethod(
        "mobicash",
        "redirect",
        "موبي كاش",
        "MobiCash",
        gateway.provider,
        least_dirhams=10,
        step_dirhams=10,
        asks=("phone",),
    )
    for gateway in (tlync.GATEWAY, plutu_account.GATEWAY)
)
METHODS: tuple[PaymentMethod, ...] = (*(m for g in GATEWAYS for m in g.methods), *DETOURS, COD)

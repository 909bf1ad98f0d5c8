"""The fields of a Plutu account, and the ways to pay that it brings."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from eishro.adapters.payments import wire
from eishro.adapters.payments.plutu import Config, Plutu
from eishro.adapters.payments.plutu_callbacks import named_reference
from eishro.adapters.payments.plutu_reading import amount_of
from eishro.adapters.payments.plutu_ways import WAYS
from eishro.domain.payments.gateways import Field, Gateway, Tools
from eishro.domain.payments.port import PaymentMethod
from eishro.errors import Words
from eishro.money import EXPONENTS

# Two decimals of a dinar go over the wire.
_HUNDREDTHS: Mapping[str, Any] = {"least_dirhams": 10, "step_dirhams": 10}


def _build(fields: Mapping[str, str], tools: Tools) -> Plutu:
    base_url = fields["base_url"]
    is_own = base_url.startswith(f"{tools.public_url}/sandbox/")
    if not base_url.startswith("https://") and not is_own:
        raise ValueError("EISHRO_PLUTU_BASE_URL must begin with https://")
    config = Config(
        access_token=fields["access_token"],
        api_key=fields["api_key"],
        secret_key=fields["secret_key"],
        base_url=base_url,
        least_dirhams=_limit(fields, "minimum"),
        most_dirhams=_limit(fields, "maximum"),
        code_lifetime=timedelta(
            minutes=wire.check_number(fields["code_minutes"], "EISHRO_PLUTU_CODE_MINUTES", 1, 120)
        ),
        resend_pause=timedelta(
            seconds=wire.check_number(
                fields["resend_seconds"], "EISHRO_PLUTU_RESEND_SECONDS", 1, 3600
            )
        ),
    )
    return Plutu(config, tools.http, tools.clock)


def _limit(fields: Mapping[str, str], name: str) -> int | None:
    if not fields[name]:
        return None
    dirhams = amount_of(fields[name], EXPONENTS["LYD"])
    if dirhams is None:
        raise ValueError(f"EISHRO_PLUTU_{name.upper()} must be an amount in dinars such as 5.00")
    return dirhams


# The vendor's SDK signs its fixtures with these.
_FIXTURE_KEYS = (
    "sk_ac63978fe4bc6defb55045fe84492021d1e87555",
    "sk_caf8cdd67e554180100dbee62d57dd12eb57acbd",
    "sk_40a07a6c0e63818dc2b292c8e302894e08acedfb",
)
_SANDBOX_TOKEN = "plutu-sandbox-access-token"  # noqa: S105 - the simulator's own
_SANDBOX_API_KEY = "plutu-sandbox-api-key"
_SANDBOX_KEY = "sk_test_0000000000000000000000000000000000000000"


def _method(name: str, words: Words, **more: Any) -> PaymentMethod:
    kind = "otp" if WAYS[name].code_length else "redirect"
    return PaymentMethod(name, kind, words.ar, words.en, "plutu", **more)


GATEWAY = Gateway(
    provider="plutu",
    prefix="PLUTU",
    fields=(
        Field(
            name="access_token",
            about="Access token of the account; it decides between test and live.",
            sandbox=_SANDBOX_TOKEN,
            published=(_SANDBOX_TOKEN,),
            is_secret=True,
            is_required=True,
            longest=4_000,
        ),
        Field(
            name="api_key",
            about="API key.",
            sandbox=_SANDBOX_API_KEY,
            published=(_SANDBOX_API_KEY,),
            is_secret=True,
            is_required=True,
        ),
        Field(
            name="secret_key",
            about="Secret key (`sk_…`) that signs callbacks; its text is the key.",
            sandbox=_SANDBOX_KEY,
            published=(_SANDBOX_KEY, *_FIXTURE_KEYS),
            is_secret=True,
            is_required=True,
        ),
        Field(
            name="base_url",
            about="Address of the API.",
            default="https://api.plutus.ly/api/v1",
        ),
        Field(
            name="minimum",
            about="Least amount of a payment, dinars; empty: any.",
            bounds_amounts=True,
        ),
        Field(
            name="maximum",
            about="Largest amount of a payment, dinars; empty: any.",
            bounds_amounts=True,
        ),
        Field(
            name="code_minutes",
            about="How long a one-time code is taken (assumed).",
            default="5",
        ),
        Field(
            name="resend_seconds",
            about="How long another code is refused (assumed).",
            default="60",
        ),
    ),
    methods=(
        _method(
            "plutu_cards",
            Words("Local bank card (Plutu)", "بطاقة مصرفية محلية (بلوتو)"),
            **_HUNDREDTHS,
        ),
        _method(
            "plutu_mpgs",
            Words("Visa or Mastercard (Plutu)", "فيزا أو ماستركارد (بلوتو)"),
            least_dirhams=1,
            currency="USD",
        ),
        _method(
            "plutu_tlync",
            Words("T-Lync (Plutu)", "تي لينك (بلوتو)"),
            asks=("phone",),
            **_HUNDREDTHS,
        ),
        _method(
            "plutu_sadad",
            Words("Sadad (Plutu)", "سداد (بلوتو)"),
            asks=("phone", "birthYear"),
            **_HUNDREDTHS,
        ),
        _method(
            "plutu_edfali",
            Words("Edfali (Plutu)", "ادفع لي (بلوتو)"),
            asks=("phone",),
            **_HUNDREDTHS,
        ),
    ),
    build=_build,
    url_fields={"base_url": "/api/v1"},
    reference_of=named_reference,
)

"""The Sadad simulator's HTTP side."""

from collections.abc import Mapping
from typing import Any

from eishro.clock import Clock
from eishro.errors import Words
from eishro.outward import WebHttp
from eishro.sandbox.gateway_door import dinars
from eishro.sandbox.otp_door import Board, add_otp_routes
from eishro.sandbox.sadad import BIRTH_YEAR, GOOD_PHONE, OTP, POOR_OTP, SadadSimulator

SHOWN_MAX = 100


class SadadDoor:
    """The simulator as `simulators.Simulated`; made of the adapter's fields."""

    def __init__(self, fields: Mapping[str, str], clock: Clock, http: WebHttp) -> None:
        del http  # it tells nobody by itself
        self.simulator = SadadSimulator(fields["token"], clock)
        self._fields = fields

    def add_routes(self, app: Any, prefix: str) -> None:
        """`app` is a Falcon ASGI application; `prefix` has no slash at its end."""
        simulator, fields = self.simulator, self._fields
        calls = {
            fields["validate_path"].strip("/"): simulator.validate,
            fields["pay_path"].strip("/"): simulator.pay,
            fields["resend_path"].strip("/"): simulator.resend,
            fields["enquiry_path"].strip("/"): simulator.enquire,
        }
        add_otp_routes(app, prefix, simulator, calls, self._board())

    async def aclose(self) -> None:
        """Nothing runs."""

    def _board(self) -> Board:
        return Board(
            Words("Sadad gateway (simulator)", "بوابة سداد (محاكاة)"),
            [
                Words(
                    f"No money moves here. Phone 0{GOOD_PHONE}, year of birth {BIRTH_YEAR}, "
                    f"code {OTP}.",
                    f"لا تتحرك أي أموال هنا. الهاتف 0{GOOD_PHONE} وسنة الميلاد {BIRTH_YEAR} "
                    f"والرمز {OTP}.",
                ),
                Words(
                    f"The code {POOR_OTP} is of an account without money.",
                    f"الرمز {POOR_OTP} لحساب رصيده غير كاف.",
                ),
            ],
            (
                Words("Transaction", "العملية"),
                Words("Invoice", "الفاتورة"),
                Words("Amount", "المبلغ"),
                Words("State", "الحالة"),
            ),
            self._rows,
        )

    def _rows(self) -> list[tuple[str, ...]]:
        newest = list(reversed(self.simulator.invoices.values()))[:SHOWN_MAX]
        return [
            (str(i.transaction_id), i.number, dinars(i.amount_dirhams), i.state) for i in newest
        ]

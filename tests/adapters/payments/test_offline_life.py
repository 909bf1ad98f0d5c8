"""Transfers, codes to scan and cash at the door, from the order to the books."""

from tests.adapters.payments.offline_cashiers import CashCashier, ScanCashier, TransferCashier
from tests.contracts.payment_life import PaymentLife


class TestTransferLife(PaymentLife):
    at = TransferCashier


class TestScanLife(PaymentLife):
    at = ScanCashier


class TestCashLife(PaymentLife):
    at = CashCashier

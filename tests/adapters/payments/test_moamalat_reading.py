"""Reading FilterTransactions row by row: what is money, what is a no, what is neither."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from eishro.adapters.payments import moamalat_reading
from eishro.adapters.payments.moamalat_reading import Page, decide
from eishro.domain.payments.port import Answer, Failed, Intent, Paid, Unknown
from tests.adapters.payments.moamalat_gateway import GOOD_CARD
from tests.adapters.payments.vectors import TID

AT = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    """A transaction as a public SDK prints it, for our reference."""
    return {
        "Amnt": "25500",
        "AmountTrxn": "25500",
        "AuthCode": None,
        "CardNo": "639499XXXXXX2740",
        "CardType": "",
        "Currency": "LYD",
        "ExternalTxnId": None,
        "FeeAmnt": "0",
        "HasToken": True,
        "IsMustVoidTotalAmount": False,
        "IsRefund": False,
        "IsRefundEnabled": True,
        "MerchantReference": "ORD-1001",
        "OriginalTxnId": "",
        "RRN": "224601434990",
        "ReceiptNo": "224601434990",
        "RemainingRefundAmount": "25500",
        "ResCodeDesc": "Approved",
        "STAN": "434990",
        "Status": "Approved",
        "TransType": "Sale",
        "TransactionChannel": "Card",
        "TransactionId": "1233674",
        "TxnDateTime": "03/09/22  01:44",
        **changes,
    }


def undoing(kind: str, **changes: Any) -> dict[str, Any]:
    """A row that undoes the sale of `row()`."""
    usual = {"TransType": kind, "TransactionId": "9", "OriginalTxnId": "1233674", "IsRefund": True}
    return row(**{**usual, **changes})


def read_page(body: bytes) -> Page | Unknown:
    return asyncio.run(moamalat_reading.read_page(body, TID))


def judged(*rows: dict[str, Any]) -> Answer:
    reply = {
        "Message": None,
        "Success": True,
        "TotalCountAllTransaction": len(rows),
        "Transactions": [
            {"Date": "03/09/2022", "DateTotalAmount": "0", "DateTransactions": list(rows)}
        ],
    }
    page = read_page(json.dumps(reply).encode())
    assert isinstance(page, Page), page
    intent = Intent(reference="ORD-1001", amount_dirhams=25_500, created_at=AT)
    return decide(intent, page.rows, TID)


def paid(*rows: dict[str, Any]) -> list[tuple[str, int]]:
    answer = judged(*rows)
    assert isinstance(answer, Paid), answer
    return [(receipt.provider_reference, receipt.amount_dirhams) for receipt in answer.receipts]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"AmountTrxn": "25500.000"},
        {"AmountTrxn": 25500},
        {"AmountTrxn": 25500.0},
        {"Currency": "434"},
        {"Status": "APPROVED"},
        {"TerminalId": int(TID)},
        {"TransactionId": 1233674},
        {"UserDefinedData": []},
    ],
)
def test_an_approved_sale_is_money(changes: dict[str, Any]) -> None:
    assert paid(row(**changes)) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "changes",
    [
        {"MerchantReference": "ORD-1002"},
        {"MerchantReference": "ord-1001"},
        {"MerchantReference": ""},
        {"TerminalId": "1"},
        {"Status": "Pending"},
        {"Status": None},
        {"TransType": "Refund"},
        {"TransType": "Balance"},
        {"TransType": None},
        {"TransactionId": None},
        {"TransactionId": ""},
        {"TransactionId": "0"},
        {"TransactionId": "a b"},
        {"AmountTrxn": "25.500"},
        {"AmountTrxn": "25500.5"},
        {"AmountTrxn": "-25500"},
        {"AmountTrxn": "0"},
        {"AmountTrxn": "1e5"},
        {"AmountTrxn": "٢٥٥٠٠"},
        {"AmountTrxn": "9" * 40},
        {"AmountTrxn": None},
        {"Currency": ""},
        {"IsRefund": True},
    ],
)
def test_anything_else_about_a_sale_is_unknown(changes: dict[str, Any]) -> None:
    assert isinstance(judged(row(**changes)), Unknown)


def test_nothing_found_is_unknown() -> None:
    nothing: list[Any] = [None, [], [{"DateTransactions": []}]]
    for days in nothing:
        reply = {"Success": True, "Message": "Transaction not found", "Transactions": days}
        page = read_page(json.dumps(reply).encode())
        assert isinstance(page, Page)
        intent = Intent(reference="ORD-1001", amount_dirhams=25_500, created_at=AT)
        assert isinstance(decide(intent, page.rows, TID), Unknown)


def test_not_found_with_something_found_is_malformed() -> None:
    reply = {
        "Success": True,
        "Message": "Transaction not found",
        "TotalCountAllTransaction": 1,
        "Transactions": [{"DateTransactions": [row()]}],
    }
    assert isinstance(read_page(json.dumps(reply).encode()), Unknown)


def test_only_declined_is_failed_with_the_last_reason() -> None:
    assert judged(
        row(Status="Declined", ResCodeDesc="Expired card", TransactionId="10"),
        row(Status="Declined", ResCodeDesc="Insufficient funds", TransactionId="9"),
    ) == Failed("Expired card")
    assert judged(row(Status="Declined", ResCodeDesc=None)) == Failed("Declined")
    assert judged(row(Status="Declined", ResCodeDesc=f"card {GOOD_CARD}")) == Failed(
        "card 639499XXXXXX0781"
    )


def test_declined_and_undecided_is_unknown() -> None:
    declined = row(Status="Declined", TransactionId="1")
    assert isinstance(judged(declined, row(Status="Pending", TransactionId="2")), Unknown)


def test_declined_and_approved_is_money() -> None:
    assert paid(row(Status="Declined", TransactionId="1"), row(TransactionId="2")) == [
        ("2", 25_500)
    ]


def test_one_transaction_told_twice_is_one_receipt() -> None:
    assert paid(row(), row()) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "changes",
    [{"Status": "Declined"}, {"AmountTrxn": "1"}, {"Currency": "USD"}, {"TransType": "Void"}],
)
def test_one_transaction_told_in_two_ways_is_unknown(changes: dict[str, Any]) -> None:
    assert isinstance(judged(row(), row(**changes)), Unknown)


@pytest.mark.parametrize("kind", ["Void", "Void Sale", "VoidSale", "Sale Void", "Reversal"])
def test_a_voided_sale_is_not_money(kind: str) -> None:
    assert isinstance(judged(row(), undoing(kind)), Unknown)
    assert isinstance(judged(undoing(kind, AmountTrxn=None), row()), Unknown)
    # A void need not repeat the reference.
    assert isinstance(judged(row(), undoing(kind, MerchantReference="")), Unknown)


def test_a_void_that_was_declined_leaves_the_money() -> None:
    assert paid(row(), undoing("Void Sale", Status="Declined")) == [("1233674", 25_500)]


def test_a_void_that_is_not_decided_is_doubtful() -> None:
    assert isinstance(judged(row(), undoing("Void Sale", Status="Pending")), Unknown)


def test_a_void_of_another_sale_changes_nothing() -> None:
    assert paid(row(), undoing("Void Sale", OriginalTxnId="77")) == [("1233674", 25_500)]


def test_a_sale_refunded_in_part_is_money_and_in_full_is_not() -> None:
    part = undoing("Refund", AmountTrxn="10000", TransactionId="9")
    rest = undoing("Refund", AmountTrxn="15500.000", TransactionId="10")
    assert paid(row(), part) == [("1233674", 25_500)]
    assert paid(row(), part, part) == [("1233674", 25_500)]
    assert isinstance(judged(row(), part, rest), Unknown)


def test_a_refund_that_was_voided_leaves_the_money() -> None:
    refund = undoing("Refund", TransactionId="9")
    void = undoing("Void Refund", TransactionId="10", OriginalTxnId="9")
    assert isinstance(judged(row(), refund), Unknown)
    assert paid(row(), refund, void) == [("1233674", 25_500)]


@pytest.mark.parametrize(
    "undo",
    [
        undoing("Refund", AmountTrxn="much"),
        undoing("Void Refund"),
        undoing("Chargeback"),
        undoing("Sale", MerchantReference="ORD-1002"),
    ],
    ids=lambda undo: str(undo["TransType"]),
)
def test_an_undoing_that_is_not_understood_makes_the_sale_doubtful(undo: dict[str, Any]) -> None:
    doubtful = Unknown("the sale cannot be read with certainty", is_foreign=True)
    assert judged(row(), undo) == doubtful


def test_of_two_sales_the_one_that_stands_is_money() -> None:
    assert paid(row(), row(TransactionId="2"), undoing("Void Sale")) == [("2", 25_500)]


_ROW = json.dumps(row())
_OTHER = json.dumps(row(TransactionId="2", MerchantReference="ORD-1002"))
_TWICE = '{"MerchantReference": "ORD-1", "MerchantReference": "ORD-2"}'


def _reply(rows: str, beside: str = "") -> str:
    return f'{{"Success": true, "Transactions": [{{"DateTransactions": [{rows}]}}]{beside}}}'


@pytest.mark.parametrize(
    "rows",
    [[], [_ROW], [_ROW, _OTHER], [_ROW, _ROW], ["{}"], ["{}", "{}", _ROW], ["{ }", _ROW, "{}"]],
    ids=len,
)
def test_a_page_has_its_rows_in_their_order(rows: list[str]) -> None:
    page = read_page(_reply(",\n ".join(rows)).encode())
    assert isinstance(page, Page)
    assert page.count == page.total == len(rows)
    names = [json.loads(text).get("MerchantReference", "") for text in rows]
    assert [one.reference for one in page.rows] == names


@pytest.mark.parametrize(
    "body",
    [
        _reply(_TWICE),  # one thing twice, wherever it stands
        _reply(f"{_ROW}, {_TWICE}"),
        _reply(_ROW, ', "Success": true'),
        _reply(_ROW, ', "Transactions": []'),
        _reply(_ROW, f', "Transactions": [{{"DateTransactions": [{_ROW}]}}]'),
        _reply(_ROW).replace('"DateTransactions"', '"DateTransactions": [], "DateTransactions"'),
        _reply(f"{_ROW}, 5"),
        _reply(f"{_ROW}, null"),
        _reply(f"{_ROW}, []"),
        _reply('{"MerchantReference": NaN}'),
        _reply(_ROW) + "}",
        _reply(_ROW)[:-1],
        _reply(_ROW).replace("true", "false"),
        _reply(_ROW).replace('"Transactions"', '"Transactions": "none", "Other"'),
    ],
)
def test_what_is_said_twice_or_in_another_shape_is_not_read(body: str) -> None:
    assert isinstance(read_page(body.encode()), Unknown)


def test_a_page_that_is_too_long_is_not_read() -> None:
    rows = ",".join([_ROW] * (moamalat_reading.REPLY_BYTES_MAX // len(_ROW) + 1))
    assert isinstance(read_page(_reply(rows).encode()), Unknown)

"""Plutu's signed callbacks: what they prove, and what proves nothing."""

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eishro.adapters.payments.plutu_reading import callback_hash, php_query
from eishro.adapters.payments.wire import is_same
from eishro.domain.payments.port import Claim, Failed, Paid, Receipt
from tests.adapters.payments.plutu_messages import (
    BY_NAME,
    KEY,
    VECTORS,
    Vector,
    account,
    fields_of,
    intent,
    signed,
)

CARD = {
    "gateway": "localbankcards",
    "approved": "1",
    "invoice_no": "ORD-1001",
    "amount": "25.50",
    "transaction_id": "700002",
}
DOLLARS = {
    "gateway": "mpgs",
    "approved": "1",
    "amount": "5.26",
    "currency": "USD",
    "invoice_no": "ORD-1001",
    "transaction_id": "700004",
}
TLYNC = {
    "gateway": "tlync",
    "approved": "1",
    "amount": "25.50",
    "invoice_no": "ORD-1001",
    "payment_method": "tadawul",
    "transaction_id": "700003",
}


def back(fields: dict[str, str], method: str = "plutu_cards", **changes: Any) -> Claim:
    return account()[0].parse_return(intent(method, **changes), fields)


def told(body: object) -> Claim:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return account()[0].parse_webhook({}, raw)


def receipt_of(claim: Claim) -> Receipt:
    assert isinstance(claim.proof, Paid)
    (receipt,) = claim.proof.receipts
    return receipt


# The hash.


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_hash_equals_the_published_one(vector: Vector) -> None:
    pairs = [pair.split("=") for pair in vector.text.split("&")]
    fields = [(name, "inv 12/3" if "%" in value else value) for name, value in pairs]
    assert php_query(fields) == vector.text
    found = callback_hash(vector.key.encode(), fields)
    assert is_same(found, vector.hash)
    assert not is_same(found, vector.hash.lower())
    assert not is_same(callback_hash(b"another", fields), vector.hash)


def test_a_key_that_looks_like_hex_is_text_all_the_same() -> None:
    fields = list(CARD.items())
    assert callback_hash(b"abcd", fields) != callback_hash(bytes.fromhex("abcd"), fields)


def test_a_query_is_written_as_php_writes_it() -> None:
    fields = [("a b", "~*'()!"), ("ع", "١ +&=/é-_."), ("empty", "")]
    assert php_query(fields) == (
        "a+b=%7E%2A%27%28%29%21&%D8%B9=%D9%A1+%2B%26%3D%2F%C3%A9-_.&empty="
    )


@pytest.mark.parametrize("shown", [None, 1, "", "79CA", "É" * 64, "\ud800", b"x", ["a"]])
def test_what_is_no_hash_is_not_the_same(shown: object) -> None:
    assert not is_same("A" * 64, shown)


# The payer's return.


def test_the_sdk_s_own_card_return_is_money() -> None:
    vector = BY_NAME["P1"]
    provider, _ = account(secret_key=vector.key)
    claim = provider.parse_return(
        intent(reference="14022023", amount_dirhams=5_000), fields_of(vector)
    )
    receipt = receipt_of(claim)
    assert (claim.authentic, claim.kind, claim.reference) == ("yes", "sale", "14022023")
    assert (receipt.provider_reference, receipt.amount_dirhams, receipt.currency) == (
        "100900",
        5_000,
        "LYD",
    )


def test_the_sdk_s_own_dollars_are_worth_what_was_asked_for() -> None:
    vector = BY_NAME["P2"]
    provider, _ = account(secret_key=vector.key)
    asked = intent("plutu_mpgs", reference="232323", amount_dirhams=24_250, wire_minor=500)
    receipt = receipt_of(provider.parse_return(asked, fields_of(vector)))
    assert (receipt.amount_dirhams, receipt.currency, receipt.wire_minor) == (24_250, "USD", 500)


def test_a_cancelled_return_is_a_signed_no() -> None:
    claim = back(fields_of(BY_NAME["P7"]))
    assert (claim.authentic, claim.kind) == ("yes", "cancelled")
    assert isinstance(claim.proof, Failed)


def test_a_return_that_says_neither_is_declined() -> None:
    fields = {name: value for name, value in CARD.items() if name != "approved"}
    claim = back(signed(fields))
    assert (claim.kind, claim.proof) == ("failed", Failed("declined"))


def test_our_own_fields_in_the_address_are_not_signed() -> None:
    fields = {"order": "17", **fields_of(BY_NAME["P6"]), "utm_source": "x", "currency": "LYD"}
    assert receipt_of(back(fields)).amount_dirhams == 25_500


def test_the_order_received_is_the_order_signed(rng: random.Random) -> None:
    good = fields_of(BY_NAME["P6"])
    assert back(good).authentic == "yes"
    assert back(dict(sorted(good.items()))).authentic == "no"
    names = list(CARD)
    rng.shuffle(names)
    shuffled = {name: CARD[name] for name in names}
    assert receipt_of(back(signed(shuffled))).amount_dirhams == 25_500


def test_a_return_counts_for_its_own_payment_alone() -> None:
    good = fields_of(BY_NAME["P6"])
    assert back(good, reference="ORD-1002").authentic == "no"
    for method in ("plutu_mpgs", "plutu_tlync", "plutu_sadad", "plutu_edfali", "moamalat", ""):
        assert back(good, method).authentic == "no"
    assert back(fields_of(BY_NAME["P1"])).authentic == "no"  # another account's key


def test_another_amount_is_told_as_it_is() -> None:
    receipt = receipt_of(back(signed({**CARD, "amount": "25.51"})))
    assert receipt.amount_dirhams == 25_510
    dollars = receipt_of(back(signed({**DOLLARS, "amount": "5.25"}), "plutu_mpgs"))
    assert (dollars.wire_minor, dollars.amount_dirhams) == (525, 25_451)
    dinars = receipt_of(back(signed({**DOLLARS, "currency": "LYD"}), "plutu_mpgs"))
    assert (dinars.currency, dinars.amount_dirhams, dinars.wire_minor) == ("LYD", 5_260, None)


@pytest.mark.parametrize(
    "change",
    [
        {"approved": "0"},
        {"approved": "true"},
        {"approved": ""},
        {"canceled": "1"},
        {"gateway": "mpgs"},
        {"amount": ""},
        {"amount": "0.00"},
        {"amount": "-25.50"},
        {"amount": "25,50"},
        {"amount": "25.5005"},
        {"amount": "1e3"},
        {"amount": "٢٥"},
        {"amount": "9" * 12},
        {"transaction_id": ""},
        {"transaction_id": "x" * 65},
        {"transaction_id": "7 0"},
    ],
    ids=str,
)
def test_a_signed_return_that_makes_no_sense_moves_nothing(change: dict[str, str]) -> None:
    claim = back(signed({**CARD, **change}))
    assert (claim.authentic, claim.proof) == ("no", None)


@pytest.mark.parametrize("currency", ["EUR", "usd", "", "LYDX"])
def test_dollars_in_another_currency_move_nothing(currency: str) -> None:
    claim = back(signed({**DOLLARS, "currency": currency}), "plutu_mpgs")
    assert (claim.authentic, claim.proof) == ("no", None)


def test_dollars_without_their_currency_move_nothing() -> None:
    fields = {name: value for name, value in DOLLARS.items() if name != "currency"}
    assert back(signed(fields), "plutu_mpgs").proof is None


def test_who_comes_back_with_nothing_says_nothing() -> None:
    claim = back({"order": "17"})
    assert (claim.authentic, claim.kind, claim.proof) == ("unsigned", "other", None)
    assert back({"approved": "1"}).authentic == "no"
    assert back({"hashed": "A" * 64}).authentic == "no"


def test_tlync_s_return_is_only_shown() -> None:
    claim = back(fields_of(BY_NAME["P9"]), "plutu_tlync")
    assert (claim.authentic, claim.kind, claim.proof) == ("yes", "sale", None)
    no = back(signed({"approved": "0", "invoice_no": "ORD-1001"}), "plutu_tlync")
    assert (no.authentic, no.kind, no.proof) == ("yes", "failed", None)
    # The POST's hash does not sign the address, nor the other way round.
    assert back(fields_of(BY_NAME["P8"]), "plutu_tlync").authentic == "no"
    assert told(fields_of(BY_NAME["P9"])).authentic == "no"


# T-Lync's POST.


def test_the_sdk_s_own_post_is_money() -> None:
    vector = BY_NAME["P3"]
    provider, _ = account(secret_key=vector.key)
    raw = json.dumps(fields_of(vector)).encode()
    claim = provider.parse_webhook({}, raw)
    receipt = receipt_of(claim)
    assert (claim.authentic, claim.kind, claim.reference) == ("yes", "sale", "43321")
    assert (receipt.amount_dirhams, receipt.provider_reference) == (6_010, "100932")
    assert receipt.details["payment_method"] == "mobicash"
    assert provider.reference_of(raw) == "43321"
    assert 200 <= provider.webhook_reply().status < 300


def test_a_declined_post_is_a_signed_no() -> None:
    claim = told(signed({**TLYNC, "approved": "0"}))
    assert (claim.authentic, claim.kind, claim.proof) == ("yes", "failed", Failed("declined"))


def test_the_same_news_has_one_name_and_other_news_another() -> None:
    first, again = told(fields_of(BY_NAME["P8"])), told(fields_of(BY_NAME["P8"]))
    other = told(signed({**TLYNC, "transaction_id": "700009"}))
    no = told(signed({**TLYNC, "approved": "0"}))
    assert first == again
    assert len({first.dedupe_key, other.dedupe_key, no.dedupe_key}) == 3


@pytest.mark.parametrize("shown", ["25.50", "25.5", "25.500", "26", "26.0", "26.00"])
def test_an_amount_that_comes_as_a_number_is_taken_in_either_form(shown: str) -> None:
    as_php = repr(float(shown)).removesuffix(".0")
    for amount in {shown, as_php}:
        hashed = signed({**TLYNC, "amount": amount})["hashed"]
        rest = json.dumps({**TLYNC, "approved": 1, "transaction_id": 700003, "hashed": hashed})
        body = rest.replace('"25.50"', shown).encode()
        assert receipt_of(told(body)).amount_dirhams == int(float(shown) * 1000)


def test_a_member_that_is_null_is_not_signed_as_in_php() -> None:
    fields = {name: value for name, value in TLYNC.items() if name != "payment_method"}
    body = {**fields, "payment_method": None, "hashed": signed(fields)["hashed"]}
    assert receipt_of(told(body)).amount_dirhams == 25_500


@pytest.mark.parametrize("name", [*TLYNC, "hashed"])
@pytest.mark.parametrize(
    "value", ["", "1 ", "2", None, 2, False, [], {}, ["1"], "\ud800"], ids=repr
)
def test_a_post_with_anything_changed_is_dropped(name: str, value: object) -> None:
    claim = told({**fields_of(BY_NAME["P8"]), name: value})
    assert (claim.authentic, claim.proof) == ("no", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b'{"amount":' + b"9" * 10_000 + b"}",
        b'{"amount":NaN,"hashed":"x"}',
        b'{"invoice_no":"\\ud800","hashed":"\\ud800"}',
        json.dumps({**fields_of(BY_NAME["P8"]), "more": "x" * 70_000}).encode(),
        json.dumps(fields_of(BY_NAME["P8"])).replace("{", '{"approved":"1",', 1).encode(),
        b"approved=1&invoice_no=ORD-1001",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_news_that_cannot_be_read_is_dropped(body: bytes) -> None:
    assert told(body).authentic == "no"


def test_signed_news_that_makes_no_sense_moves_nothing() -> None:
    for change in (
        {"approved": "2"},
        {"gateway": "localbankcards"},
        {"amount": "x"},
        {"invoice_no": "a b"},
        {"transaction_id": ""},
    ):
        claim = told(signed({**TLYNC, **change}))
        assert (claim.authentic, claim.proof) == ("no", None)


_TEXTS = st.text(max_size=20)


@given(st.dictionaries(st.sampled_from([*CARD, "currency", "hashed", "x"]), _TEXTS))
def test_no_return_raises_and_none_without_the_key_is_believed(fields: dict[str, str]) -> None:
    for method in ("plutu_cards", "plutu_mpgs", "plutu_tlync", "plutu_sadad"):
        claim = back(fields, method)
        assert claim.proof is None
        assert claim.authentic != "yes"
        msgspec.json.encode(claim)


@given(st.dictionaries(st.sampled_from([*CARD, "currency"]), _TEXTS))
def test_no_signed_return_raises(fields: dict[str, str]) -> None:
    for method in ("plutu_cards", "plutu_mpgs", "plutu_tlync"):
        msgspec.json.encode(back(signed(fields, KEY), method))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*TLYNC, "hashed"]), _JSON))
def test_no_post_raises(body: dict[str, object]) -> None:
    raw = json.dumps(body).encode("utf-8", "replace")
    assert told(raw).authentic == "no"
    account()[0].reference_of(raw)

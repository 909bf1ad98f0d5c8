"""Signing, sealing and the rotation of keys."""

import base64

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from eishro.keyring import KEY_LENGTH_MIN, BadSeal, Keyring
from tests.conftest import SEED

OLD, NEW, STRANGE = (letter * KEY_LENGTH_MIN for letter in "ons")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
# The first call of a run loads the cryptography library.
unhurried = settings(deadline=None)


@seed(SEED)
@unhurried
@given(TEXTS, st.binary(max_size=300))
def test_what_is_sealed_opens_again(purpose: str, content: bytes) -> None:
    ring = Keyring([OLD])
    assert ring.open(purpose, ring.seal(purpose, content)) == content


@seed(SEED)
@unhurried
@given(TEXTS, TEXTS)
def test_what_is_signed_verifies_for_its_text_alone(purpose: str, text: str) -> None:
    ring = Keyring([OLD])
    signature = ring.sign(purpose, text)
    assert ring.verify(purpose, text, signature)
    assert not ring.verify(purpose, text + "x", signature)
    assert not ring.verify(purpose + "x", text, signature)
    assert signature == ring.sign(purpose, text), "an id's token can be made again"


@seed(SEED)
@unhurried
@given(st.binary(max_size=100), st.data())
def test_a_changed_byte_of_a_seal_is_noticed(content: bytes, data: st.DataObject) -> None:
    ring = Keyring([OLD])
    raw = bytearray(base64.urlsafe_b64decode(ring.seal("p", content)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSeal):
        ring.open("p", base64.urlsafe_b64encode(bytes(raw)).decode())


@seed(SEED)
@unhurried
@given(TEXTS)
def test_junk_is_neither_a_signature_nor_a_seal(junk: str) -> None:
    ring = Keyring([OLD, NEW])
    assert not ring.verify("p", "text", junk)
    with pytest.raises(BadSeal):
        ring.open("p", junk)


@seed(SEED)
@given(st.data())
def test_a_changed_character_of_a_signature_is_noticed(data: st.DataObject) -> None:
    ring = Keyring([OLD])
    signature = ring.sign("p", "ord_1")
    place = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.sampled_from("ABCabc019-_").filter(lambda c: c != signature[place]))
    assert not ring.verify("p", "ord_1", signature[:place] + other + signature[place + 1 :])
    assert not ring.verify("p", "ord_1", signature[:-1])
    assert not ring.verify("p", "ord_1", "")


def test_a_rotated_key_opens_what_it_sealed_and_the_new_one_seals() -> None:
    before, during, after = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
    sealed, signature = before.seal("p", b"secret"), before.sign("p", "ord_1")
    assert during.open("p", sealed) == b"secret"
    assert during.verify("p", "ord_1", signature)
    fresh, fresh_signature = during.seal("p", b"new"), during.sign("p", "ord_1")
    assert after.open("p", fresh) == b"new"
    assert after.verify("p", "ord_1", fresh_signature)
    assert fresh_signature != signature


@pytest.mark.parametrize("keys", [[STRANGE], [STRANGE, NEW]])
def test_a_dropped_or_strange_key_opens_nothing(keys: list[str]) -> None:
    sealed, signature = Keyring([OLD]).seal("p", b"secret"), Keyring([OLD]).sign("p", "ord_1")
    with pytest.raises(BadSeal):
        Keyring(keys).open("p", sealed)
    assert not Keyring(keys).verify("p", "ord_1", signature)


def test_a_seal_for_one_purpose_is_worthless_for_another() -> None:
    ring = Keyring([OLD])
    with pytest.raises(BadSeal):
        ring.open("totp", ring.seal("gateway", b"secret"))
    assert ring.derive("totp") != ring.derive("gateway")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    ring = Keyring([OLD])
    assert len({ring.seal("p", b"secret") for _ in range(100)}) == 100


def test_a_signature_and_a_seal_are_safe_in_an_address() -> None:
    ring = Keyring([OLD])
    safe = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
    for number in range(50):
        assert set(ring.sign("p", str(number))) <= safe - {"="}
        assert set(ring.seal("p", b"x" * number)) <= safe


@pytest.mark.parametrize("keys", [[], [""], ["x" * (KEY_LENGTH_MIN - 1)], [OLD, "short"]])
def test_short_or_missing_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="EISHRO_SECRET_KEYS"):
        Keyring(keys)


def test_a_keyring_shows_none_of_its_keys() -> None:
    ring = Keyring([OLD, NEW])
    ring.derive_all("p")
    assert OLD not in repr(ring) + str(ring)
    assert NEW not in repr(ring) + str(ring)

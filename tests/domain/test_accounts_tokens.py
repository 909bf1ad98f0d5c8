"""Access tokens: genuine, unexpired ones are read, everything else is nobody."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from eishro.domain.accounts import tokens
from eishro.domain.accounts.model import (
    TokenExpired,
    hash_token,
    new_refresh_token,
    same_hash,
)
from eishro.domain.accounts.tokens import AUDIENCE, TYPE, AccessTokens
from eishro.errors import Unauthenticated
from eishro.keyring import Keyring
from tests.conftest import SEED

OLD, NEW = "o" * 32, "n" * 32
NOW = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def _issued(ring: Keyring, at: datetime = NOW) -> str:
    return AccessTokens(ring).issue(12, "ses_1", at, QUARTER)


def _forged(key: bytes | str, algorithm: str = "HS256", **changes: Any) -> str:
    claims: dict[str, Any] = {
        "sub": "12",
        "sid": "ses_1",
        "aud": AUDIENCE,
        "iat": int(NOW.timestamp()),
        "exp": int((NOW + QUARTER).timestamp()),
    }
    kind = changes.pop("typ", TYPE)
    claims.update(changes)
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"typ": kind})


@seed(SEED)
@settings(deadline=None)
@given(
    st.integers(1, 2**53 - 1),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.integers(1, 86_400),
)
def test_what_is_issued_is_read_until_its_last_second(
    user_id: int, session_id: str, seconds: int
) -> None:
    access = AccessTokens(Keyring([OLD]))
    token = access.issue(user_id, session_id, NOW, timedelta(seconds=seconds))
    for reader in (access, AccessTokens(Keyring([OLD]))):
        claims = reader.read(token, NOW + timedelta(seconds=seconds - 1))
        assert (claims.user_id, claims.session_id) == (user_id, session_id)
        # Read before and therefore remembered, and yet over.
        with pytest.raises(TokenExpired):
            reader.read(token, NOW + timedelta(seconds=seconds))


def test_a_forgery_with_the_right_claims_and_key_would_be_read() -> None:
    """The forgeries below fail for what they change and for nothing else."""
    ring = Keyring([OLD])
    claims = AccessTokens(ring).read(_forged(ring.derive("access-token")), NOW)
    assert (claims.user_id, claims.session_id) == (12, "ses_1")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "eishro-admin"}, {"aud": None}, {"aud": []}, {"sub": None}, {"sid": None},
        {"exp": None}, {"sub": "nobody"}, {"sub": ""}, {"exp": "soon"}, {"typ": "JWT"},
        {"typ": "refresh"}, {"typ": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_for_something_else_is_refused(changes: dict[str, Any]) -> None:
    ring = Keyring([OLD])
    with pytest.raises(Unauthenticated):
        AccessTokens(ring).read(_forged(ring.derive("access-token"), **changes), NOW)


def test_only_the_pinned_algorithm_counts() -> None:
    ring = Keyring([OLD])
    key = ring.derive("access-token")
    for algorithm in ("HS384", "HS512"):
        long_key = key * 2  # those algorithms ask for more bytes
        with pytest.raises(Unauthenticated):
            AccessTokens(ring).read(_forged(long_key, algorithm), NOW)
    with pytest.raises(Unauthenticated):
        AccessTokens(ring).read(_forged("", "none"), NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "hs256", "RS256"])
@pytest.mark.parametrize("signature", ["", "x", "eA"])
def test_a_token_without_a_signature_is_nobody(algorithm: str, signature: str) -> None:
    _, payload, _ = _issued(Keyring([OLD])).split(".")
    header = msgspec.json.encode({"alg": algorithm, "typ": TYPE})
    head = base64.urlsafe_b64encode(header).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        AccessTokens(Keyring([OLD])).read(f"{head}.{payload}.{signature}", NOW)


@seed(SEED)
@settings(deadline=None)
@given(st.data())
def test_one_changed_byte_makes_a_token_nobody_s(data: st.DataObject) -> None:
    token = _issued(Keyring([OLD]))
    parts = token.split(".")
    number = data.draw(st.integers(0, 2))
    raw = bytearray(base64.urlsafe_b64decode(parts[number] + "=="))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    parts[number] = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    with pytest.raises(Unauthenticated) as refused:
        AccessTokens(Keyring([OLD])).read(".".join(parts), NOW)
    assert not isinstance(refused.value, TokenExpired)


def test_a_member_changed_by_its_owner_makes_the_token_nobody_s() -> None:
    head, payload, signature = _issued(Keyring([OLD])).split(".")
    claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=="))
    claims["sub"] = "1"
    other = base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        AccessTokens(Keyring([OLD])).read(f"{head}.{other}.{signature}", NOW)


@pytest.mark.parametrize(
    "junk", ["", ".", "..", "a.b.c", "a.b", "x" * 5_000, "\x00", "é.é.é", "{}.{}.{}"]
)
def test_junk_is_nobody(junk: str) -> None:
    with pytest.raises(Unauthenticated):
        AccessTokens(Keyring([OLD])).read(junk, NOW)


def test_a_token_outlives_the_rotation_of_its_key_but_not_its_removal() -> None:
    token = _issued(Keyring([OLD]))
    assert AccessTokens(Keyring([NEW, OLD])).read(token, NOW).user_id == 12
    with pytest.raises(Unauthenticated):
        AccessTokens(Keyring([NEW])).read(token, NOW)
    fresh = _issued(Keyring([NEW, OLD]))
    assert AccessTokens(Keyring([NEW])).read(fresh, NOW).user_id == 12
    with pytest.raises(Unauthenticated):
        AccessTokens(Keyring([OLD])).read(fresh, NOW)


def test_the_key_of_another_purpose_makes_no_token() -> None:
    ring = Keyring([OLD])
    for key in (OLD.encode(), ring.derive("order-token"), ring.derive("verify-email")):
        with pytest.raises(Unauthenticated):
            AccessTokens(ring).read(_forged(key), NOW)


def test_remembering_tokens_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED_MAX", 3)
    access = AccessTokens(Keyring([OLD]))
    made = [access.issue(n, f"ses_{n}", NOW, QUARTER) for n in range(1, 10)]
    for _ in range(2):
        assert [access.read(token, NOW).user_id for token in made] == list(range(1, 10))
    assert len(access._remembered) <= 3


def test_a_refresh_token_names_its_session_and_is_stored_only_as_a_hash() -> None:
    token = new_refresh_token("ses_1")
    assert token.partition(".")[0] == "ses_1"
    assert len(token) >= len("ses_1.") + 43, "256 random bits"
    assert token != new_refresh_token("ses_1")
    stored = hash_token(token)
    assert token not in stored
    assert same_hash(stored, token)
    assert not same_hash(stored, token[:-1])
    assert not same_hash(None, token)
    assert not same_hash("", "")

"""What goes wrong on the platform: each with an error that names it, and nothing half written."""

import json
from datetime import timedelta
from typing import Any

import js  # type: ignore[import-not-found]
import pytest
import sqlalchemy as sa

from eishro.clock import ManualClock
from eishro.db.database import CommitUnknown, DatabaseBusy
from eishro.db.keyvalue import KeyValueUnavailable
from eishro.db.stamps import stamps
from eishro.db.statements import Batch, Query, Write
from eishro.domain.files.port import FilesUnavailable
from eishro.domain.messages.port import MailNotSent, Message
from eishro.edge.cipher import NodeCipher
from eishro.edge.d1 import D1Database, D1Fault, MissingTable
from eishro.edge.d1_limits import BeyondD1Limit, InvocationSpent
from eishro.edge.hasher import EdgeHasher
from eishro.edge.http import FetchHttp
from eishro.edge.invocation import Invocation, _current
from eishro.edge.kv import CloudflareKeyValue
from eishro.edge.mail import ApiMail, NoMail
from eishro.edge.r2 import R2Files
from eishro.edge.worker import Worker
from eishro.errors import Conflict
from eishro.keyring import BadSeal, Keyring
from eishro.outward import NoReply
from tests.edge.runtime.checks_ports import DATABASE, emptied
from tests.edge.runtime.vectors import BCRYPT_HASH, BCRYPT_PASSWORD, SEALED

_INSERT = Write(sa.insert(stamps))
_RENAME = Write(
    sa.update(stamps).where(stamps.c.name == sa.bindparam("key")).values(name=sa.bindparam("to"))
)
_COUNT = Query(sa.select(sa.func.count()).select_from(stamps), int)
_NAMES = Query(sa.select(stamps.c.name).order_by(stamps.c.name).limit(10), str)


class First(Conflict):
    """A guard's error."""


class Second(Conflict):
    """Another guard's error."""


async def refused(*statements: Any) -> BeyondD1Limit:
    db = await emptied()
    with pytest.raises(BeyondD1Limit) as caught:
        await db.commit(Batch(_INSERT(name="fine", last=1), *statements))
    assert await db.one(_COUNT) == 0
    return caught.value


async def test_a_value_beyond_two_megabytes_is_refused_by_name() -> None:
    error = await refused(_INSERT(name="x" * 2_000_001, last=1))
    assert error.details == {"what": "bytes of name", "is": 2_000_001, "atMost": 2_000_000}


async def test_a_number_beyond_a_double_is_refused_by_name() -> None:
    error = await refused(_INSERT(name="n", last=2**53))
    assert error.details["what"] == "last"
    db = await emptied()
    await db.commit(Batch(_INSERT(name="n", last=2**53 - 1)))
    assert await db.rows("SELECT last FROM stamps", []) == [[2**53 - 1]]


async def test_a_large_number_among_like_rows_is_refused_too() -> None:
    error = await refused(_INSERT.each([{"name": "a", "last": 1}, {"name": "b", "last": 2**60}]))
    assert error.details["what"] == "last"


async def test_more_than_a_hundred_parameters_are_refused() -> None:
    with pytest.raises(BeyondD1Limit, match="parameters: 101"):
        await DATABASE.rows(f"SELECT {', '.join('?' * 101)}", list(range(101)))


async def test_more_sql_than_a_statement_may_have_is_refused() -> None:
    with pytest.raises(BeyondD1Limit, match="bytes of SQL"):
        await DATABASE.rows(f"SELECT '{'x' * 100_000}'", [])


async def test_more_statements_than_a_batch_may_have_are_refused() -> None:
    many = [_RENAME(key=f"k{n}", to="t") for n in range(1001)]
    error = await refused(*many)
    assert error.details["what"] == "statements of a batch"


async def test_an_invocation_has_a_thousand_statements_and_no_more() -> None:
    db = await emptied()
    before = _current.set(Invocation(lambda _: None))
    try:
        for _ in range(2):
            await db.commit(Batch(*(_RENAME(key="k", to="t") for _ in range(450))))
        with pytest.raises(InvocationSpent):
            await db.commit(Batch(*(_INSERT(name=f"n{n}", last=1) for n in range(101))))
        await db.commit(Batch(_INSERT(name="still", last=1)))
    finally:
        _current.reset(before)
    assert await db.all(_NAMES) == ["still"]


async def test_the_guard_that_failed_says_whose_it_is() -> None:
    db = await emptied()
    await db.commit(Batch(_INSERT(name="a", last=1)))
    touched, nothing = _RENAME(key="a", to="b"), _RENAME(key="nobody", to="c")
    with pytest.raises(Second):
        await db.commit(Batch(touched.guarded(First()), nothing.guarded(Second())))
    with pytest.raises(First):
        await db.commit(Batch(nothing.guarded(First()), touched.guarded(Second())))
    nobodys = nothing.guarded(First())
    nobodys.otherwise = None
    with pytest.raises(ValueError, match="guard failed"):
        await db.commit(Batch(nobodys))
    assert await db.all(_NAMES) == ["a"]


async def test_a_taken_key_is_the_error_of_the_update_that_met_it() -> None:
    db = await emptied()
    await db.commit(Batch(_INSERT.each([{"name": n, "last": 1} for n in "abc"])))
    fine, meets = _RENAME(key="a", to="d"), _RENAME(key="b", to="c")
    with pytest.raises(Second):
        await db.commit(Batch(fine.guarded(First()), meets.guarded(Second())))
    with pytest.raises(First):
        await db.commit(Batch(meets.guarded(First()), fine.guarded(Second())))
    with pytest.raises(D1Fault, match="UNIQUE"):
        await db.commit(Batch(fine.guarded(First()), meets))
    assert await db.all(_NAMES) == ["a", "b", "c"]


async def test_miniflare_s_own_binding_behaves_as_ours() -> None:
    await emptied()
    proxied = D1Database(js.testEnv.PROXIED, "DB")
    await proxied.commit(Batch(_INSERT(name="a", last=2**53 - 1)))
    assert await proxied.rows("SELECT name, last, NULL FROM stamps", []) == [["a", 2**53 - 1, None]]
    with pytest.raises(First):
        await proxied.commit(
            Batch(_INSERT(name="b", last=1), _RENAME(key="nobody", to="c").guarded(First()))
        )
    assert await proxied.all(_NAMES) == ["a"]


async def test_a_missing_table_names_the_binding_and_the_way_out() -> None:
    empty = D1Database(js.testEnv.EMPTY, "EMPTY")
    with pytest.raises(MissingTable, match="EMPTY.*no such table: stamps.*migrations apply"):
        await empty.one(_COUNT)
    with pytest.raises(MissingTable):
        await empty.commit(Batch(_INSERT(name="a", last=1)))


class Broken:
    """A D1 binding whose every call fails with one message."""

    def __init__(self, message: str) -> None:
        self._binding = js.testTools.broken(message)

    def prepare(self, _: str) -> Any:
        binding = self._binding

        class Prepared:
            raw = binding.raw
            bind = type("Bind", (), {"apply": staticmethod(lambda *_: binding)})

        return Prepared()

    async def batch(self, _: Any) -> None:
        await self._binding.batch()


async def test_a_database_that_is_away_is_busy_or_unknown() -> None:
    lost = D1Database(Broken("D1_ERROR: Network connection lost."), "DB")
    with pytest.raises(DatabaseBusy):
        await lost.one(_COUNT)
    with pytest.raises(CommitUnknown):
        await lost.commit(Batch(_INSERT(name="a", last=1)))
    full = D1Database(Broken("D1_ERROR: D1 DB is overloaded. Requests queued for too long."), "DB")
    with pytest.raises(DatabaseBusy):
        await full.commit(Batch(_INSERT(name="a", last=1)))


def variables(**changes: object) -> Any:
    env = js.Object.assign(js.Object.new(), js.testEnv)
    for name, value in changes.items():
        setattr(env, name, value)
    return env


async def call(env: Any, path: str = "/health/ready", **headers: str) -> tuple[int, Any, Any]:
    request = js.Request.new(f"https://shop.test{path}")
    for name, value in headers.items():
        request.headers.set(name.replace("_", "-"), value)
    answer = await Worker().fetch(request, env, js.testTools.context)
    return int(answer.status), json.loads(str(await answer.text())), answer.headers


async def missing(env: Any) -> str:
    status, body, _ = await call(env)
    assert (status, body["error"]["code"]) == (503, "EDGE_NOT_READY")
    found: str = body["error"]["details"]["missing"]
    return found


async def test_a_missing_binding_is_named() -> None:
    assert await missing(variables(KV=None)) == "binding KV (KV namespace)"
    assert await missing(variables(FILES=js.undefined)) == "binding FILES (R2)"
    assert await missing(variables(DB="a variable")) == "binding DB is no D1 database"
    assert await missing(variables(EDGE_PLACES="DB,NOWHERE")) == "binding NOWHERE (D1 database)"


async def test_bad_variables_are_named_together() -> None:
    named = await missing(variables(EISHRO_SECRET_KEYS="", EISHRO_KV_URL="redis://x"))
    assert "EISHRO_SECRET_KEYS must be set" in named
    assert "EISHRO_KV_URL has no meaning in a Worker" in named
    assert "EISHRO_TYPO" in await missing(variables(EISHRO_TYPO="1"))
    assert "EDGE_MAIL_API_KEY" in await missing(variables(EDGE_MAIL_API_URL="https://mail.test"))
    assert "EISHRO_PUBLIC_URL" in await missing(variables(EISHRO_ENV="production"))


async def test_an_unapplied_migration_is_named() -> None:
    named = await missing(variables(DB=js.testEnv.EMPTY))
    assert named.startswith("binding DB: database is at None, this code needs 0")


async def test_a_shop_whose_kv_is_down_goes_on() -> None:
    env = variables(KV=js.testTools.broken("KV is down"))
    assert (await call(env, "/api/stores"))[0] == 200
    store = CloudflareKeyValue(env.KV, "KV", DATABASE, ManualClock())
    for attempt in (store.get("a"), store.set("a", b"1", 60), store.delete("a")):
        with pytest.raises(KeyValueUnavailable, match="KV binding KV: .*KV is down"):
            await attempt


async def test_files_that_do_not_answer_are_unavailable() -> None:
    env = variables(FILES=js.testTools.broken("R2 is down"))
    status, body, _ = await call(env, "/media/a.png")
    assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
    with pytest.raises(FilesUnavailable, match="R2 binding FILES: .*R2 is down"):
        await R2Files(env.FILES).put("a.png", b"", "image/png")


async def test_a_corrupt_cache_entry_counts_as_absent() -> None:
    clock = ManualClock()
    store = CloudflareKeyValue(js.testEnv.KV, "KV", await emptied(), clock)
    await js.testEnv.KV.put("foreign", "written by somebody else")
    assert await store.get("foreign") is None
    await store.set("damaged", b"right", 600)
    label = (await js.testEnv.KV.getWithMetadata("damaged")).metadata
    await js.testEnv.KV.put(
        "damaged", "wrong", js.JSON.parse(f'{{"metadata": {js.JSON.stringify(label)}}}')
    )
    assert await store.get("damaged") is None
    await store.set("damaged", b"right", 600)
    assert await store.get("damaged") == b"right"
    clock.turn(timedelta(seconds=601))
    assert await store.get("damaged") is None


async def test_what_cannot_run_here_says_so() -> None:
    status, body, _ = await call(variables(), "/docs")
    assert (status, body["error"]["code"]) == (501, "NOT_AVAILABLE_HERE")


async def test_a_bookmark_goes_out_and_comes_back() -> None:
    status, _, headers = await call(variables(), "/health/ready")
    bookmark = str(headers.get("X-D1-Bookmark"))
    assert status == 200
    assert len(bookmark) > 30
    for shown in (bookmark, "no bookmark at all", ""):
        assert (await call(variables(), "/api/stores", X_D1_Bookmark=shown))[0] == 200


async def test_sealed_text_is_the_same_in_every_profile() -> None:
    ring = Keyring(["k" * 32], NodeCipher())
    assert ring.open("purpose", SEALED) == "سر".encode()
    assert ring.open("purpose", ring.seal("purpose", b"")) == b""
    for wrong in (SEALED[:-4] + "AAAA", "", "AAAA", ring.seal("another", b"x")):
        with pytest.raises(BadSeal):
            ring.open("purpose", wrong)


async def test_passwords_hashed_elsewhere_are_good_here() -> None:
    hasher = EdgeHasher(4)
    assert await hasher.verify(BCRYPT_PASSWORD, BCRYPT_HASH)
    assert not await hasher.verify(BCRYPT_PASSWORD + "x", BCRYPT_HASH)
    assert not await hasher.verify(BCRYPT_PASSWORD, None)


async def test_http_says_what_came_back_or_that_nothing_did() -> None:
    http, url = FetchHttp(), js.testTools.echoUrl
    reply = await http.post_json(f"{url}/status/418", {"a": "ب"}, headers={"X-Own": "1"})
    assert reply.status == 418
    seen = json.loads(reply.body)
    assert (seen["body"], seen["headers"]["x-own"]) == ({"a": "ب"}, "1")
    assert (await http.post_json(f"{url}/redirect", {})).status == 302
    form = await http.post_form(f"{url}/status/200", {"a": "b c"}, headers={"X-Own": "1"})
    seen = json.loads(form.body)
    assert (seen["body"], seen["headers"]["x-own"]) == ("a=b+c", "1")
    assert seen["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert (await http.get(f"{url}/redirect")).status == 302
    for path, options, reason in (
        ("/slow", {"timeout_seconds": 0.2}, "timed out"),
        ("/status/200", {"limit_bytes": 10}, "more than 10 bytes"),
        ("/cut", {}, "fetch|terminated|network"),
    ):
        with pytest.raises(NoReply, match=f"(?i){reason}") as caught:
            await http.post_json(url + path, {}, **options)
        assert caught.value.sent
    with pytest.raises(NoReply, match="not an address") as caught:
        await http.post_json("ftp://x", {})
    assert not caught.value.sent


async def test_mail_goes_through_an_api_and_says_whether_to_try_again() -> None:
    message = Message(to="buyer@example.ly", subject="طلب", text="نص")
    url = js.testTools.echoUrl
    await ApiMail(f"{url}/status/200", "key", "EISHRO <a@b.ly>", FetchHttp()).send(message)
    sent = json.loads(str(js.testTools.lastEcho()))
    assert sent["headers"]["authorization"] == "Bearer key"
    assert sent["body"] == {
        "from": "EISHRO <a@b.ly>",
        "to": ["buyer@example.ly"],
        "subject": "طلب",
        "text": "نص",
    }
    for path, again in (("/status/429", True), ("/status/503", True), ("/status/422", False)):
        with pytest.raises(MailNotSent) as caught:
            await ApiMail(url + path, "key", "a@b.ly", FetchHttp()).send(message)
        assert caught.value.again is again
    with pytest.raises(MailNotSent):
        await NoMail().send(message)
    for bad in ("http://mail.test", "mail.test"):
        with pytest.raises(ValueError, match="EDGE_MAIL_API_URL"):
            ApiMail(bad, "key", "a@b.ly", FetchHttp())

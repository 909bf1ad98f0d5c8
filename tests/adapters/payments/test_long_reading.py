"""A long object reads as a short one does, whatever stands there, and lets others go between."""

import asyncio
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eishro.adapters.payments.long_reading import VALUES_IN_A_TURN, read_long_object
from eishro.adapters.payments.wire import BODY_BYTES_MAX, read_object

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_MARKS = st.sampled_from(list('{}[]:," \n\r\t\x0b\\u00a0') + ["1", "0.5", "NaN", "null", '"a"'])


def read_long(body: bytes) -> object:
    """As it is read with pauses."""
    return asyncio.run(read_long_object(body, bytes_max=BODY_BYTES_MAX))


@given(_VALUES | st.dictionaries(st.text(), _VALUES), st.sampled_from((None, 1)), st.data())
def test_it_reads_what_the_short_way_reads(
    value: object, indent: int | None, data: st.DataObject
) -> None:
    body = json.dumps(value, indent=indent).encode()
    assert read_long(body) == read_object(body)
    cut = data.draw(st.integers(0, len(body)))
    changed = body[:cut] + data.draw(_MARKS).encode() + body[cut:]
    for spoilt in (body[:cut], changed, body + b" ", b"\xef\xbb\xbf " + body):
        assert read_long(spoilt) == read_object(spoilt)


@given(st.lists(_MARKS).map("".join))
@example('{"a":1,"a":2}')
@example('{"a":[{"b":[{"c":1,"c":2}]}]}')
@example('{"a":1,}')
@example('{"a":[1,]}')
@example('{,"a":1}')
@example('{"a":[,1]}')
@example('{"a":[1 2]}')
@example('{"a" 1}')
@example("{a:1}")
@example('{"a":{"b":-Infinity}}')
@example("{}")
@example('{"a":[],"b":{}}')
@example("")
@example("[1]")
@example("{} {}")
@example("[" * 5_000)
@example('{"a":' * 5_000)
def test_it_refuses_what_the_short_way_refuses(text: str) -> None:
    assert read_long(text.encode()) == read_object(text.encode())


def test_what_is_no_text_or_too_long_is_nothing() -> None:
    assert read_long(b'{"a":"\xff"}') is None
    assert read_long(b'{"a":"' + b"x" * BODY_BYTES_MAX + b'"}') is None


@pytest.mark.anyio
async def test_others_go_on_meanwhile() -> None:
    rows = [{"TransactionId": str(number)} for number in range(1_000)]
    body = json.dumps({"Transactions": [{"DateTransactions": rows}]}).encode()
    reading = asyncio.create_task(read_long_object(body, bytes_max=BODY_BYTES_MAX))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 1_000 // VALUES_IN_A_TURN

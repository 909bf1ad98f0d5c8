"""What D1 takes, checked before anything is sent: a clear error, and nothing half written.

Source: Cloudflare's page "D1 limits" (read in 2026). The local emulator enforces few of them.
"""

from collections.abc import Sequence

from eishro.errors import ShopError, Unavailable, Words

PARAMETERS_MAX = 100  # bound to one statement
SQL_BYTES_MAX = 100_000
VALUE_BYTES_MAX = 2_000_000  # a text, and a whole row
INTEGER_MAX = 2**53 - 1  # numbers cross to D1 as doubles
STATEMENTS_MAX = 1_000  # of one invocation, on the paid plan; 50 on the free one


class BeyondD1Limit(ShopError):
    """A statement that D1 would refuse, or keep as something else. Nothing was written."""

    code = "D1_LIMIT"
    words = Words(
        "This is more than the database of this installation can keep.",
        "هذا أكبر مما تستطيع قاعدة بيانات هذا النظام حفظه.",
    )

    def __init__(self, what: str, is_: int, at_most: int) -> None:
        super().__init__(details={"what": what, "is": is_, "atMost": at_most})
        self.args = (f"{what}: {is_}, D1 takes at most {at_most}",)


class InvocationSpent(Unavailable):
    """This request or cron turn has sent D1 as many statements as one invocation may."""

    code = "D1_STATEMENTS_SPENT"


def check_statement(sql: str, parameters: Sequence[object], names: Sequence[str] = ()) -> None:
    """Refuse what exceeds a limit of one statement; `names` name the parameters in the error.

    Raises:
        BeyondD1Limit: too many parameters, too long a text, too large a value or number.
        TypeError: a value that is neither integer, text nor None: a fault of the caller.
    """
    if len(parameters) > PARAMETERS_MAX:
        raise BeyondD1Limit("parameters", len(parameters), PARAMETERS_MAX)
    size = len(sql.encode())
    if size > SQL_BYTES_MAX:
        raise BeyondD1Limit("bytes of SQL", size, SQL_BYTES_MAX)
    row_bytes = 0
    for position, value in enumerate(parameters):
        name = names[position] if position < len(names) else f"parameter {position + 1}"
        if isinstance(value, str):
            row_bytes += check_text(value, name)
        elif isinstance(value, int):
            if abs(value) > INTEGER_MAX:
                raise BeyondD1Limit(name, value, INTEGER_MAX)
        elif value is not None:
            raise TypeError(f"{name}: D1 takes integers and texts, not {type(value).__name__}")
    if row_bytes > VALUE_BYTES_MAX:
        raise BeyondD1Limit("bytes of the row", row_bytes, VALUE_BYTES_MAX)


def check_text(value: str, name: str) -> int:
    """The size of a text in bytes, if D1 takes it.

    Raises:
        BeyondD1Limit.
    """
    size = len(value.encode())
    if size > VALUE_BYTES_MAX:
        raise BeyondD1Limit(f"bytes of {name}", size, VALUE_BYTES_MAX)
    return size

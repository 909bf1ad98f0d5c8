"""What people and API keys may do in a store: permissions, and the roles that carry them.

A permission is `<what>:<which way>`; rows of the route table (`web/api.py`) name them, API keys
carry some of them as scopes, and members of a store have those of their role. The platform's
admins may do everything; customers and guests have no permissions, only what is theirs.
"""

from collections.abc import Collection, Mapping
from typing import Literal, get_args

StoreRole = Literal["owner", "manager", "catalog", "orders", "viewer"]
STORE_ROLES: tuple[StoreRole, ...] = get_args(StoreRole)

# Each permission and, for the docs and for whoever gives it away, what it lets people do.
PERMISSIONS: Mapping[str, str] = {
    "store:read": "see the store while it is closed",
    "store:write": "change the store's name, settings, delivery zones and categories' tree",
    "store:close": "close the store and open it again",
    "products:read": "see drafts and numbers in stock",
    "products:write": "add, change and archive products and categories",
    "orders:read": "see orders and their buyers",
    "orders:write": "move orders on, cancel them, start their payments",
    "orders:refund": "give money back",
    "discounts:read": "see coupons and promotions",
    "discounts:write": "add, change and delete coupons and promotions",
    "staff:read": "see who works in the store",
    "staff:write": "invite people, change their roles, remove them",
    "keys:read": "see the store's API keys, never the secrets",
    "keys:write": "make and revoke API keys",
    "audit:read": "read the audit trail",
    "money:read": "see the ledger, balances, payouts and cash",
    "money:write": "ask for payouts, book cash, settle suspense",
}

_VIEWER = frozenset({"store:read", "products:read", "orders:read"})
_CATALOG = frozenset({"store:read", "products:read", "products:write"})
_ORDERS = frozenset({"store:read", "products:read", "orders:read", "orders:write", "orders:refund"})
_MANAGER = frozenset(PERMISSIONS) - {"store:close"}
_OWNER = frozenset(PERMISSIONS)

PERMISSIONS_OF: Mapping[StoreRole, frozenset[str]] = {
    "owner": _OWNER,
    "manager": _MANAGER,
    "catalog": _CATALOG,
    "orders": _ORDERS,
    "viewer": _VIEWER,
}

# What an API key may be given. People, keys and money are managed by people.
SCOPES: tuple[str, ...] = tuple(
    name
    for name in PERMISSIONS
    if name
    not in (
        "store:close",
        "staff:read",
        "staff:write",
        "keys:read",
        "keys:write",
        "money:write",
    )
)


def permissions_of(role: str) -> frozenset[str]:
    """What a role of a store may do; nothing for a role that is not known."""
    return PERMISSIONS_OF.get(role, frozenset())  # type: ignore[call-overload, no-any-return]


def covers(permissions: Collection[str], role: str) -> bool:
    """True if whoever has these permissions may give this role to somebody.

    Nobody gives away more than they have.
    """
    return permissions_of(role) <= set(permissions)

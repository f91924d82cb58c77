"""Which servers may be asked: a browser names the one that shows its messages, and a hand that forges it names any."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

_OF_HOUSES: Final = frozenset(
    {"local", "localhost", "internal", "lan", "home", "intranet", "corp", "private", "arpa"}
)
"""Last words of names that mean a machine nearby."""
_ADDRESS: Final = re.compile(r"https://([A-Za-z0-9.-]+)(?::443)?(?:[/?][!-\[\]-~]*)?")
"""A name, the usual port or none, and behind that signs that can be seen, but for a backslash."""


def is_push_address(text: str) -> bool:
    """Whether this may be the address of a push service: https at the usual port, a public name, and no user in it."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return False
    *words, last = found[1].lower().split(".")
    # A last word of digits is a number of a machine, however it is written.
    return bool(words) and all(words) and last.isalpha() and last not in _OF_HOUSES


def is_public(address: str) -> bool:
    """Whether a number that a name stands for is reached through the open network, by anybody."""
    found = ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None)
    return (inner or found).is_global and not found.is_multicast

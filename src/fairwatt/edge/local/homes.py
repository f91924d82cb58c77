"""Which home each meter belongs to, what is known of it here, and the PIN without which nobody is shown it.

``homes.toml``: ``[[home]]`` with ``meter``, ``name`` and ``pin`` (a hash; `fairwatt edge pin` makes the line).
"""

import hashlib
import hmac
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from fairwatt.core.commands.restore_code import Lock, plain_digits
from fairwatt.edge.guard import Guard
from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.locks import PINS, Locks
from fairwatt.edge.spool import Spool
from fairwatt.wire.records import Relay

_S: Final = 1_000_000
_COST: Final = {"n": 1 << 12, "r": 8, "p": 1}
"""4 MB and some milliseconds for one try: a small box can bear it, and the lock does the rest."""
PIN_DIGITS_MIN: Final = 4


class HomesUnusable(ValueError):
    """The file of homes cannot be used. The text names the entry; nothing was started."""


class Home(NamedTuple):
    """One home of the file. ``pin`` is empty where the page shows no balance."""

    meter: int
    name: str
    pin: str


class HomeState(NamedTuple):
    """What this gateway knows of a home. Unknown is None; no restore in force is 0."""

    meter: int
    home: str
    register_wh: int | None
    at_us: int
    relay: int
    available_micro: int | None
    restored_until_us: int


def hash_pin(pin: str, *, salt: bytes) -> str:
    """What stands in the file instead of a PIN."""
    digest = hashlib.scrypt(pin.encode(), salt=salt, dklen=32, **_COST)
    return f"scrypt${salt.hex()}${digest.hex()}"


def read_homes(path: Path, /) -> dict[int, Home]:
    """Read the file of homes. Raises HomesUnusable."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = [Home(int(one["meter"]), str(one["name"]), str(one.get("pin", ""))) for one in tree["home"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise HomesUnusable(f"{path} cannot be used: {error}") from error
    homes = {row.meter: row for row in rows}
    if len(homes) != len(rows) or len({_plain(row.name) for row in rows}) != len(rows):
        raise HomesUnusable(f"{path}: a meter or a name is given twice")
    for row in rows:
        if row.pin and row.pin.count("$") != 2:
            raise HomesUnusable(
                f"{path}: the pin of {row.name} is no hash; run `fairwatt edge pin` for the line"
            )
    return homes


class Homes:
    """Homes behind one gateway."""

    def __init__(
        self,
        *,
        meters: tuple[int, ...],
        known: Mapping[int, Home],
        guard: Guard,
        spool: Spool,
        restored_until_us: Callable[[int], int],
    ) -> None:
        self._meters = frozenset(meters)
        self._known = {meter: home for meter, home in known.items() if meter in self._meters}
        self._guard, self._restored = guard, restored_until_us
        self._locks = Locks(spool=spool, kind=PINS)
        self._by_name = {_plain(home.name): meter for meter, home in self._known.items()}

    def meters(self) -> frozenset[int]:
        """The meters of this gateway."""
        return self._meters

    def name(self, meter: int) -> str:
        """The home's name; a meter without one is called by its number."""
        home = self._known.get(meter)
        return home.name if home else f"{meter:012d}"

    def find(self, text: str) -> int | None:
        """The meter that a person means: by the home's name, or by the number on the meter's plate."""
        named = self._by_name.get(_plain(text))
        if named is not None:
            return named
        digits = plain_digits(text[:40])
        if digits.isascii() and digits.isdecimal() and int(digits) in self._meters:
            return int(digits)
        return None

    def state(self, meter: int) -> HomeState:
        """What is known of a home now."""
        reading = self._guard.last_reading(meter=meter)
        wallet = self._guard.wallet_of(meter=meter)
        return HomeState(
            meter,
            self.name(meter),
            None if reading is None else reading.total_wh,
            0 if reading is None else reading.at_us,
            Relay.UNKNOWN if reading is None else reading.relay,
            None if wallet is None else self._guard.available_micro(wallet=wallet),
            self._restored(meter),
        )

    def open_with_pin(self, *, meter: int, pin: str, now_us: int) -> Answer | None:
        """None when the PIN is the home's; else why not. Wrong ones cost the same waits as wrong codes."""
        lock = self._locks.of(meter).seen(now_us=now_us)
        if now_us < lock.until_us:
            return Answer("locked", wait_s=-(-(lock.until_us - now_us) // _S))
        home = self._known.get(meter)
        if home is not None and home.pin and _same(plain_digits(pin[:40]), home.pin):
            if lock.failures:
                self._locks.keep(meter, Lock())
            return None
        self._locks.keep(meter, lock.failed(now_us=now_us))
        return Answer("wrong_pin")


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _same(pin: str, kept: str) -> bool:
    try:
        salt = bytes.fromhex(kept.split("$")[1])
    except ValueError:
        return False
    return hmac.compare_digest(hash_pin(pin, salt=salt).encode(), kept.encode())

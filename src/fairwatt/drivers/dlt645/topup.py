"""Credit sent into a meter's own wallet: function 03H of the State Grid supplement.

The frame carries two message codes (MACs) made by the keys of the meter's security chip. Nobody but the owner
of those keys can make them, so they come from a callable that whoever runs the installation supplies. Without
it nothing is sent. A vendor whose meters do not check the codes says so in its profile (`macs = "zero"`).

The purchase count is the meter's own protection against doubling: it credits a count only once, and only the
one after its last. The same frame sent twice is one purchase, or a refusal called `repeated`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from fairwatt.drivers.contract import Accepted

from .catalog.security import OPEN_ACCOUNT, RECHARGE
from .codec import decode_bcd, encode_bcd, encode_operator
from .errors import BadRequest, NoMac, UnreadableValue
from .exchange import STANDARD_RETRY, FrameExchange, Retry, one_meter
from .frame import SECURITY
from .prepaid import Encoding

MAC_BYTES: Final = 4
CENT_MICRO: Final = 10_000
_SIZE: Final = 30


class MacMaker(Protocol):
    """Makes the message code over `message` for one meter, four bytes as they go on the wire."""

    def __call__(self, *, number: str, message: bytes) -> bytes: ...


class Macs(StrEnum):
    """Who makes the codes of a model."""

    ESAM = "esam"
    ZERO = "zero"  # the meter does not look at them


@dataclass(frozen=True, slots=True)
class TopUpDialect:
    """How one vendor wants a top-up (`[prepaid.topup]` of a profile)."""

    recharge: int = RECHARGE
    open_account: int = OPEN_ACCOUNT
    encoding: Encoding = Encoding.CENTS_LE
    macs: Macs = Macs.ESAM


def topup_dialect(*, table: dict[str, Any]) -> TopUpDialect:
    """Read `[prepaid.topup]` of a profile. Raises ValueError for a word that is none."""
    return TopUpDialect(
        recharge=int(table.get("recharge", f"{RECHARGE:08X}"), 16),
        open_account=int(table.get("open_account", f"{OPEN_ACCOUNT:08X}"), 16),
        encoding=Encoding(table.get("encoding", Encoding.CENTS_LE)),
        macs=Macs(table.get("macs", Macs.ESAM)),
    )


@dataclass(frozen=True, slots=True)
class TopUp:
    """One purchase to be credited by the meter. `customer` is twelve digits."""

    amount_micro: int
    purchase: int
    customer: str
    operator: str
    opens_account: bool = False

    def encode(self, *, number: str, dialect: TopUpDialect, make_mac: MacMaker | None) -> bytes:
        """Write the data of 03H. Raises `BadRequest`, or `NoMac` when codes are needed and nobody makes them."""
        cents, rest = divmod(self.amount_micro, CENT_MICRO)
        if rest or not 0 < cents < 10**8 or not 0 < self.purchase < 2**32:
            raise BadRequest(
                "A top-up is 0.01 to 999999.99 in whole hundredths, with a purchase count from 1. Nothing was sent."
            )
        if len(self.customer) != 12 or not (self.customer.isascii() and self.customer.isdigit()):
            raise BadRequest("A customer number of a top-up is 12 digits. Nothing was sent.")
        credit = _amount(cents, dialect) + self.purchase.to_bytes(4, "little")
        customer = bytes.fromhex(self.customer)[::-1]
        identifier = dialect.open_account if self.opens_account else dialect.recharge
        return b"".join(
            (
                identifier.to_bytes(4, "little"),
                encode_operator(self.operator),
                credit,
                _mac(number, credit, dialect, make_mac),
                customer,
                _mac(number, customer, dialect, make_mac),
            )
        )

    @classmethod
    def decode(cls, data: bytes, *, dialect: TopUpDialect) -> tuple[TopUp, bytes, bytes]:
        """Read the data of 03H as a meter does: the top-up, and its two codes. Raises `UnreadableValue`."""
        identifier = int.from_bytes(data[:4], "little")
        if len(data) != _SIZE or identifier not in (dialect.recharge, dialect.open_account):
            raise UnreadableValue(what="a top-up", data=data)
        amount = data[8:12]
        is_binary = dialect.encoding is Encoding.CENTS_LE
        cents = int.from_bytes(amount, "little") if is_binary else decode_bcd(amount, what="an amount")
        topup = cls(
            amount_micro=cents * CENT_MICRO,
            purchase=int.from_bytes(data[12:16], "little"),
            customer=data[25:19:-1].hex(),
            operator=data[7:3:-1].hex(),
            opens_account=identifier == dialect.open_account,
        )
        return topup, data[16:20], data[26:30]


def top_up(
    *,
    address: str,
    purchase: TopUp,
    dialect: TopUpDialect,
    make_mac: MacMaker | None = None,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Send one purchase into one meter. Its acceptance is no proof: read the meter's wallet afterwards."""
    target = one_meter(number=address)
    number = target[::-1].hex()
    data = purchase.encode(number=number, dialect=dialect, make_mac=make_mac)
    return FrameExchange(address=target, control=SECURITY, data=data, parse=_taken(data[:4]), retry=retry)


def _taken(identifier: bytes) -> Callable[[bytes], Accepted]:
    def parse(data: bytes) -> Accepted:
        if not data.startswith(identifier):
            raise UnreadableValue(what="the acknowledgement of a top-up", data=data)
        return Accepted()

    return parse


def _amount(cents: int, dialect: TopUpDialect) -> bytes:
    return cents.to_bytes(4, "little") if dialect.encoding is Encoding.CENTS_LE else encode_bcd(cents, size=4)


def _mac(number: str, message: bytes, dialect: TopUpDialect, make_mac: MacMaker | None) -> bytes:
    if dialect.macs is Macs.ZERO:
        return bytes(MAC_BYTES)
    if make_mac is None:
        raise NoMac(number=number)
    mac = make_mac(number=number, message=message)
    if len(mac) != MAC_BYTES:
        raise BadRequest(
            f"A message code of a top-up is {MAC_BYTES} bytes; got {len(mac)}. Nothing was sent."
        )
    return mac

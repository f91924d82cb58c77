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
from fairwatt.drivers.errors import BadRequest, UnreadableValue

from .catalog.security import OPEN_ACCOUNT, RECHARGE
from .codec import decode_bcd, encode_bcd, encode_operator
from .errors import NoMac
from .exchange import STANDARD_RETRY, FrameExchange, Retry, one_meter
from .frame import SECURITY
from .prepaid import Encoding

MAC_BYTES: Final = 4
CENT_MICRO: Final = 10_000
_SIZE: Final = 26  # without the purchase count or order number


class MacMaker(Protocol):
    """Makes the message code over `message` for one meter, four bytes as they go on the wire."""

    def __call__(self, *, number: str, message: bytes) -> bytes: ...


class Macs(StrEnum):
    """Who makes the codes of a model."""

    ESAM = "esam"
    ZERO = "zero"  # the meter does not look at them


class OrderForm(StrEnum):
    """What stands where the meter looks for doubling."""

    COUNT = "count"  # the purchase count, four bytes binary, lowest first
    DIGITS_16 = "digits_16"  # an order number of sixteen digits, eight bytes BCD, lowest first


@dataclass(frozen=True, slots=True)
class TopUpDialect:
    """How one vendor wants a top-up (`[prepaid.topup]` of a profile)."""

    recharge: int = RECHARGE
    open_account: int = OPEN_ACCOUNT
    encoding: Encoding = Encoding.CENTS_LE
    macs: Macs = Macs.ESAM
    order: OrderForm = OrderForm.COUNT

    @property
    def order_bytes(self) -> int:
        """How long the purchase count or order number is."""
        return 4 if self.order is OrderForm.COUNT else 8


def topup_dialect(*, table: dict[str, Any]) -> TopUpDialect:
    """Read `[prepaid.topup]` of a profile. Raises ValueError for a word that is none."""
    return TopUpDialect(
        recharge=int(table.get("recharge", f"{RECHARGE:08X}"), 16),
        open_account=int(table.get("open_account", f"{OPEN_ACCOUNT:08X}"), 16),
        encoding=Encoding(table.get("encoding", Encoding.CENTS_LE)),
        macs=Macs(table.get("macs", Macs.ESAM)),
        order=OrderForm(table.get("order", OrderForm.COUNT)),
    )


@dataclass(frozen=True, slots=True)
class TopUp:
    """One purchase to be credited by the meter. `customer` is twelve digits (a vendor may want the meter's number).

    `purchase` is the count of purchases, or the order number, as the dialect says; it is never used twice.
    """

    amount_micro: int
    purchase: int
    customer: str
    operator: str
    opens_account: bool = False

    def encode(self, *, number: str, dialect: TopUpDialect, make_mac: MacMaker | None) -> bytes:
        """Write the data of 03H. Raises `BadRequest`, or `NoMac` when codes are needed and nobody makes them."""
        cents, rest = divmod(self.amount_micro, CENT_MICRO)
        most = 2**32 if dialect.order is OrderForm.COUNT else 10**16
        if rest or not 0 < cents < 10**8 or not 0 < self.purchase < most:
            raise BadRequest(
                "A top-up is 0.01 to 999999.99 in whole hundredths, with a purchase count or order number from 1 "
                "that this model can hold. Nothing was sent."
            )
        if len(self.customer) != 12 or not (self.customer.isascii() and self.customer.isdigit()):
            raise BadRequest("A customer number of a top-up is 12 digits. Nothing was sent.")
        credit = _amount(cents, dialect) + _order(self.purchase, dialect)
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
        tail = 12 + dialect.order_bytes
        if len(data) != _SIZE + dialect.order_bytes or identifier not in (
            dialect.recharge,
            dialect.open_account,
        ):
            raise UnreadableValue(what="a top-up", data=data)
        amount = data[8:12]
        is_binary = dialect.encoding is Encoding.CENTS_LE
        cents = int.from_bytes(amount, "little") if is_binary else decode_bcd(amount, what="an amount")
        topup = cls(
            amount_micro=cents * CENT_MICRO,
            purchase=_purchase(data[12:tail], dialect),
            customer=data[tail + 4 : tail + 10][::-1].hex(),
            operator=data[7:3:-1].hex(),
            opens_account=identifier == dialect.open_account,
        )
        return topup, data[tail : tail + 4], data[tail + 10 :]


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


def _order(purchase: int, dialect: TopUpDialect) -> bytes:
    is_count = dialect.order is OrderForm.COUNT
    return purchase.to_bytes(4, "little") if is_count else encode_bcd(purchase, size=8)


def _purchase(data: bytes, dialect: TopUpDialect) -> int:
    is_count = dialect.order is OrderForm.COUNT
    return int.from_bytes(data, "little") if is_count else decode_bcd(data, what="an order number")


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

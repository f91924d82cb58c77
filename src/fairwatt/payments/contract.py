"""What a payment provider owes the rest of the house: bytes in, a fact or a refusal out; questions to be carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final, Protocol

from fairwatt.payments.exchange import Exchange, Moment


class Method(StrEnum):
    """How a payer pays. What a provider offers of these decides what a payer is offered."""

    REDIRECT = "redirect"
    """on the provider's own page, where the browser is led"""
    QR = "qr"
    """the payer scans a code that we show"""
    JSAPI = "jsapi"
    """a sheet inside the provider's own app, which our page is open in"""
    PUSH = "push"
    """the provider rings the payer's phone, who types a PIN there"""
    SCAN = "scan"
    """the window scans the code on the payer's phone"""
    AUTO = "auto"
    """taken from what the payer saved at the provider, as he agreed: nobody is asked at that moment"""
    PAYBILL = "paybill"
    """the payer begins at the provider and types the number of the home; nothing is asked for here"""


class Ability(StrEnum):
    """What a provider can do besides taking a payment."""

    CLOSE = "close"
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    BILL = "bill"
    SIGNED_CALLBACK = "signed_callback"


class Assurance(StrEnum):
    """How surely a fact is one."""

    SIGNED = "signed"
    """with a key that nobody of us holds"""
    QUERIED = "queried"
    """we asked the provider itself"""
    HINT = "hint"
    """unsigned, or signed with a secret that we hold too: worth asking, worth nothing else"""
    BILL = "bill"
    MANUAL = "manual"
    """two people of ours"""


MOVES_MONEY: Final = frozenset({Assurance.SIGNED, Assurance.QUERIED, Assurance.BILL, Assurance.MANUAL})


class Kind(StrEnum):
    """What a fact is about. One reference of a provider and one kind make one thing."""

    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


class State(StrEnum):
    """How it stands at the provider."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    CLOSED = "closed"
    """never paid, and cannot be any more; some providers have paid all the same (late success)"""
    FAILED = "failed"
    ABNORMAL = "abnormal"
    """a refund that bounced: the money lies with us"""
    UNKNOWN = "unknown"
    """the provider itself does not know this order"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFact:
    """What a provider says of one payment, refund or chargeback. `amount_minor` in minor units (cents, fen).

    For a payment `provider_ref` is the provider's number of it; for a refund it is the number of the refund,
    and `refund_ref` ours.
    """

    provider: str
    kind: Kind = Kind.PAYMENT
    state: State = State.SUCCEEDED
    our_ref: str
    provider_ref: str
    event_id: str
    amount_minor: int
    currency: str
    occurred_at_us: int
    assurance: Assurance
    refund_ref: str = ""
    payer_hint: str = ""
    raw_sha256: str = ""
    detail: str = ""
    """the provider's own word for the state"""
    named: str = ""
    """the account number that the payer typed, where the payment began at the provider"""

    @property
    def moves_money(self) -> bool:
        """Whether this may be posted: it succeeded, and not by hearsay."""
        return self.state is State.SUCCEEDED and self.assurance in MOVES_MONEY


# --- what a provider is asked -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAsk:
    """A payment somebody means to make. `our_ref` was committed before: the same one never pays twice."""

    our_ref: str
    amount_minor: int
    currency: str
    method: Method
    subject: str
    notify_url: str
    return_url: str
    expires_us: int
    payer: str = field(default="", repr=False)
    """an openid or a login code (JSAPI), a telephone number (PUSH), a payer's code (SCAN), what was saved (AUTO)"""
    provider_order: str = ""
    """the provider's number of the order, where `create` told one"""
    language: str = "en"
    on_phone: bool = False
    """the payer's browser is a telephone's"""


def nobodys_order(*, now_us: int) -> OrderAsk:
    """An order that cannot be: a provider in good health answers, signed, that there is no such order."""
    return OrderAsk(
        our_ref="0" * 32,
        amount_minor=1,
        currency="CNY",
        method=Method.QR,
        subject="",
        notify_url="",
        return_url="",
        expires_us=now_us,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsk:
    """A refund of ours, committed before the first attempt; every attempt carries the same `refund_ref`."""

    our_ref: str
    refund_ref: str
    provider_ref: str
    amount_minor: int
    paid_minor: int
    currency: str
    reason: str
    notify_url: str = ""
    provider_refund: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAsk:
    """A payment that its provider is said to have taken back."""

    our_ref: str
    provider_dispute: str
    currency: str


# --- what the payer sees next -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What comes next for the payer.

    REDIRECT: open `url`. QR: show `url` as a code. JSAPI: hand `sheet` to the app. PUSH: nothing, the phone rings.
    `settled` is what a code at the window answers at once. `provider_order` is the provider's number of the order,
    which later questions need.
    """

    method: Method
    url: str = ""
    sheet: Mapping[str, str] = field(default_factory=dict)
    provider_order: str = ""
    settled: ProviderFact | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """What a provider hears of its callback."""

    status: int
    body: bytes
    content_type: str


# --- a day of a provider ------------------------------------------------------------------------------------


class BillKind(StrEnum):
    """`TRADE`: what payers paid and got back. `FUNDS`: what the provider settles, with its fees."""

    TRADE = "trade"
    FUNDS = "funds"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """One movement in a provider's bill. Minor units; a payment is positive, a refund, fee or payout negative."""

    kind: Kind
    our_ref: str
    provider_ref: str
    refund_ref: str = ""
    amount_minor: int
    fee_minor: int = 0
    currency: str
    occurred_at_us: int
    state: State = State.SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A day of a provider, read whole; `raw_sha256` tells a bill that was issued again with another content."""

    day: str
    kind: BillKind
    rows: tuple[BillRow, ...]
    raw_sha256: str
    raw: bytes = field(repr=False)


class BillNotReady(RuntimeError):
    """The provider has not made this day's bill yet. The day stays open; ask again later."""


class BillCorrupt(RuntimeError):
    """What was downloaded is not the bill: a wrong digest, a missing column, a sum that differs. Ask again."""


# --- callbacks ----------------------------------------------------------------------------------------------


class CallbackRejected(ValueError):
    """A callback that proves nothing. No money moves; `code` is stable for counters and screens."""

    code: ClassVar[str] = "rejected"
    heard: ClassVar[bool] = False
    """True: the provider is told that all is well, so that it does not come again with the same."""


class BadCallbackSignature(CallbackRejected):
    """The signature is missing or does not match the bytes."""

    code = "bad_signature"


class UnknownSigningKey(BadCallbackSignature):
    """It names a key we do not have, or one that was not valid at that time. Keys are never fetched for a callback."""

    code = "unknown_key"


class StaleCallback(CallbackRejected):
    """The signed time is too far from now: a replay, or a clock that is wrong."""

    code = "stale"


class MalformedCallback(CallbackRejected):
    """The signature holds, but the content is not what the provider documents."""

    code = "malformed"


class OtherMerchant(CallbackRejected):
    """Signed, but about somebody else's shop."""

    code = "other_merchant"


class ProbeCallback(CallbackRejected):
    """The provider tests whether we check signatures: counted, never processed, no alarm."""

    code = "probe"


class NothingOfMoney(CallbackRejected):
    """Genuine, and about something that moves no money here: thanked for and dropped."""

    code = "no_money"
    heard = True


class UnknownProvider(CallbackRejected):
    """Nobody here takes money through this provider or account."""

    code = "unknown_provider"


class MerchantUnusable(CallbackRejected):
    """The account's keys cannot be opened or used, so nothing can be verified."""

    code = "merchant_unusable"


class NotAsked(CallbackRejected):
    """It claims to be a provider's answer to the collector, and another process wrote it."""

    code = "not_asked"


FRESH_S: Final = 300
"""How far a callback's signed time may lie from ours, either way."""
AMOUNT_MINOR_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a provider can do, and in which currencies (with their minor digits)."""

    methods: frozenset[Method]
    can: frozenset[Ability]
    minor_digits: Mapping[str, int]


class PaymentProvider(Protocol):
    """One merchant account at one provider. Pure: no network, no clock, no database, no dice.

    What has to be asked is an `Exchange` that somebody carries; it raises `ProviderTrouble`, and whether the
    outcome is known then. Every method may be called again with the same references: it does nothing twice.
    """

    @property
    def name(self) -> str:
        """Short name: lower case, stable, part of keys and accounts."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What this account may be asked for."""
        ...

    @property
    def callback_headers(self) -> frozenset[str]:
        """Lower-case names of the headers that a callback's signature covers or rests on; only these are stored."""
        ...

    def create(self, *, order: OrderAsk, at: Moment) -> Exchange[Action]:
        """Make an order; the same `our_ref` again is the same order."""
        ...

    def query(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """How an order stands, by the provider's own word: assurance QUERIED."""
        ...

    def close(self, *, order: OrderAsk, at: Moment) -> Exchange[ProviderFact]:
        """Let an order be payable no more. Answers SUCCEEDED when the payer was faster."""
        ...

    def refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """Ask for money back. Accepted is PENDING: only a later word says SUCCEEDED."""
        ...

    def query_refund(self, *, refund: RefundAsk, at: Moment) -> Exchange[ProviderFact]:
        """How a refund stands."""
        ...

    def query_dispute(self, *, dispute: DisputeAsk, at: Moment) -> Exchange[ProviderFact]:
        """How a payment stands that was taken back: PENDING while it is disputed, SUCCEEDED lost, FAILED won."""
        ...

    def parse_callback(
        self, *, headers: Mapping[str, str], body: bytes, now_us: int | None, hint_ref: str = ""
    ) -> ProviderFact:
        """Verify the bytes and say what they prove.

        `now_us` checks freshness at the door; None skips it when stored bytes are verified again. `hint_ref` is
        the reference in the address that was called, for providers whose callbacks carry none of ours.
        Raises CallbackRejected.
        """
        ...

    def ack(self, *, refused: CallbackRejected | None) -> Ack:
        """What to answer: `refused` is None once the bytes are stored."""
        ...

    def fetch_bill(self, *, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
        """The provider's own list of a day (its local date, YYYY-MM-DD). Raises BillNotReady, BillCorrupt."""
        ...

    def health(self, *, at: Moment) -> Exchange[bool]:
        """The cheapest question that shows the account works; False where the provider says it does not."""
        ...

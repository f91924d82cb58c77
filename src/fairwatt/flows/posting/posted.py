"""What waiting facts come to, and the bench on which one is worked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.commands.restore_code import KeepsCodeKeys
from fairwatt.core.ledger.model import Kind, Leg
from fairwatt.core.rating.state import RegisterState
from fairwatt.flows.merchants import Merchants
from fairwatt.flows.posting.book_state import BookState, Reviewed
from fairwatt.flows.posting.estimates import Registers
from fairwatt.payments.contract import PaymentProvider
from fairwatt.store.posting import LINE, EventRow, FactAnswer, QuarantineRow
from fairwatt.wire.commands import RelayOrder


@dataclass(kw_only=True)
class PostedFacts:
    """What the waiting facts of a batch came to."""

    lines: list[Any] = field(default_factory=list)
    wallet_ix: list[int] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    credited: dict[int, int] = field(default_factory=dict)
    """wallet index -> fact id that put credit there"""
    lent: dict[int, int] = field(default_factory=dict)
    """wallet index -> fact id that lent emergency credit to it"""
    repaid: set[int] = field(default_factory=set)
    """wallet indices whose emergency credit is repaid whole"""
    in_review: dict[int, list[Reviewed]] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    """wallet indices that a fee, a share, a reversal or the end of a window moved"""
    brought: set[int] = field(default_factory=set)
    """wallet indices that the settling of another account moved"""
    reload: bool = False
    regrant: set[int] = field(default_factory=set)
    """wallet ids whose edge needs a fresh grant after the reload"""
    more: bool = False
    """some facts wait for the next batch"""
    finished: set[int] = field(default_factory=set)
    """facts of tariff corrections that reached every register"""
    released: set[int] = field(default_factory=set)
    """registers whose protective cut a person ends"""
    ordered: dict[int, tuple[RelayOrder, int]] = field(default_factory=dict)
    """register -> what a person ordered of its relay, and the fact that did"""
    left: set[int] = field(default_factory=set)
    """registers whose home changes hands: nothing is decided about them, and their open orders are void"""
    mass_cut_allowed: bool | None = None
    """a person's answer to cuts that were held back"""
    quarantine: list[QuarantineRow] = field(default_factory=list)
    registers_moved: list[tuple[int, RegisterState]] = field(default_factory=list)
    """registers that an approved estimate moved, and where they stand now"""
    registers_read: list[tuple[int, RegisterState]] = field(default_factory=list)
    """the same of registers that a person read"""

    def add(self, one: PostedFacts) -> None:
        """Take over what one more fact came to."""
        self.lines += one.lines
        self.wallet_ix += one.wallet_ix
        self.legs += one.legs
        self.answers += one.answers
        self.events += one.events
        self.credited |= one.credited
        self.lent |= one.lent
        self.repaid = (self.repaid - one.lent.keys()) | one.repaid
        for ix, waiting in one.in_review.items():
            self.in_review.setdefault(ix, []).extend(waiting)
        for ix in one.credited:
            self.in_review.pop(ix, None)
        self.moved |= one.moved
        self.brought |= one.brought
        self.released |= one.released
        self.left |= one.left
        self.ordered |= one.ordered
        if one.mass_cut_allowed is not None:
            self.mass_cut_allowed = one.mass_cut_allowed
        self.reload |= one.reload
        self.more |= one.more
        self.regrant |= one.regrant
        self.quarantine += one.quarantine
        self.registers_moved += one.registers_moved
        self.registers_read += one.registers_read

    def moved_by_others(self) -> set[int]:
        """Indices of wallets that something else than the settling of their account moved."""
        settled = {
            ix
            for line, ix in zip(self.lines, self.wallet_ix, strict=True)
            if line["kind"] == Kind.MOVED or (line["kind"] == Kind.DEPOSIT and line["amount_micro"] > 0)
        }
        return set(self.wallet_ix) - settled | self.brought

    def lent_after(self, before: frozenset[int]) -> frozenset[int]:
        """Wallet indices with emergency credit that is not repaid, once these facts are posted."""
        return (before | self.lent.keys()) - self.repaid

    def line_array(self) -> npt.NDArray[Any]:
        """The lines with dtype LINE."""
        return np.array(self.lines, dtype=LINE) if self.lines else np.empty(0, dtype=LINE)


@dataclass(frozen=True)
class Bench:
    """Where one fact is worked on."""

    cursor: Any
    state: BookState
    providers: Mapping[str, PaymentProvider]
    registers: Registers
    fact: int
    now_us: int
    available: npt.NDArray[np.int64]
    reworked: frozenset[int] = frozenset()
    """wallet indices with corrections in this batch, which no query shows yet"""
    codes: KeepsCodeKeys | None = None
    """who makes restore codes"""
    merchants: Merchants | None = None
    """whose accounts residents pay into"""
    opened: dict[int, PaymentProvider] = field(default_factory=dict)
    """accounts whose keys this batch has looked up"""
    owe_nothing: frozenset[int] = frozenset()
    """wallets of which this batch knows that nothing but energy was ever owed"""


def refuse_fact(bench: Bench, code: str, detail: str) -> PostedFacts:
    return PostedFacts(
        answers=[FactAnswer(fact=bench.fact, state="refused", result={"code": code, "detail": detail})],
        events=[
            EventRow(
                kind="fact.refused",
                at_us=bench.now_us,
                reason=code,
                evidence={"fact": bench.fact, "detail": detail},
            )
        ],
    )

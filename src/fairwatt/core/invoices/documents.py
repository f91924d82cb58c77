"""From micro-units to documents in whole coins: invoices, and credit notes that name what they take back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fairwatt.core.refusal import Refusal

Sort = Literal["invoice", "credit_note"]
Rate = int | None
"""VAT in hundredths of a percent; ``None``: none."""


class NotYet(Refusal):
    """What was charged makes no document by itself; it stays for the next one, and nothing is lost."""

    code = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of a document. ``quantity`` in Wh or litres, of ``unit`` kWh or m3; 0 where nothing is counted."""

    what: str
    name: str = ""
    rate_bp: Rate = None
    net_micro: int
    net_minor: int = 0
    quantity: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """Net and tax of one rate, in micro-units and in coins."""

    net_micro: int = 0
    tax_micro: int = 0
    net_minor: int = 0
    tax_minor: int = 0

    @property
    def gross_micro(self) -> int:
        """Net and tax together."""
        return self.net_micro + self.tax_micro

    @property
    def gross_minor(self) -> int:
        """The same in coins."""
        return self.net_minor + self.tax_minor

    def plus(self, other: Sums, times: int = 1) -> Sums:
        """These and others, so many times."""
        return Sums(
            self.net_micro + times * other.net_micro,
            self.tax_micro + times * other.tax_micro,
            self.net_minor + times * other.net_minor,
            self.tax_minor + times * other.tax_minor,
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing in them."""
        return not (self.net_micro or self.tax_micro or self.net_minor or self.tax_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a bill is about: its parts, and the tax of each rate in micro-units."""

    parts: tuple[Part, ...]
    tax_micro: Mapping[Rate, int]

    @property
    def gross_micro(self) -> int:
        """Everything together; below zero it is given back."""
        return sum(part.net_micro for part in self.parts) + sum(self.tax_micro.values())

    def net_of(self, rate: Rate) -> int:
        """The net amount under a rate."""
        return sum(part.net_micro for part in self.parts if part.rate_bp == rate)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rates it has, the highest first, untaxed last."""
        found = {part.rate_bp for part in self.parts} | set(self.tax_micro)
        return tuple(sorted(found, key=lambda rate: -1 if rate is None else rate, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An invoice that may be credited, and what of it was not yet, by rate."""

    invoice: int
    left: Mapping[Rate, Sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that is ready for its number. Amounts of a credit note are above zero, too: its sort says the way."""

    sort: Sort
    parts: tuple[Part, ...]
    sums: Mapping[Rate, Sums]
    of: int | None = None
    whole: bool = False
    """a credit note that takes all of its original back"""
    total: Sums = field(init=False)

    def __post_init__(self) -> None:
        total = Sums()
        for one in self.sums.values():
            total = total.plus(one)
        object.__setattr__(self, "total", total)
        for rate, one in self.sums.items():
            mine = [part for part in self.parts if part.rate_bp == rate]
            told = sum(part.net_micro for part in mine), sum(part.net_minor for part in mine)
            if told != (one.net_micro, one.net_minor):
                raise AssertionError(f"the parts under rate {rate} come to {told}, their sum says {one}")


def documents_of(
    *, charge: Charge, so_far: Mapping[Rate, Sums], originals: Sequence[Original], minor_micro: int
) -> tuple[Document, ...]:
    """Turn a charge into an invoice, or into credit notes on the newest invoices that have as much left.

    ``so_far``: what all documents of the home came to, by rate. Raises NotYet where it makes none by itself.
    """
    gross = charge.gross_micro
    if gross == 0:
        raise NotYet("What was charged and given back comes to nothing, so there is no document about it.")
    if gross > 0:
        sums = {
            rate: _in_coins(
                Sums(charge.net_of(rate), charge.tax_micro.get(rate, 0)),
                so_far.get(rate, Sums()),
                minor_micro,
            )
            for rate in charge.rates
        }
        made = Document(sort="invoice", parts=_parts(charge.parts, sums, minor_micro), sums=sums)
        if made.total.gross_minor <= 0:
            raise NotYet("It is less than the smallest coin; it goes on the next document.")
        return (made,)
    return tuple(_credit_notes(charge, so_far, originals, minor_micro))


def whole_credit(*, invoice: int, parts: Iterable[Part], sums: Mapping[Rate, Sums]) -> Document:
    """A credit note over all of an invoice, of which nothing was taken back before."""
    return Document(sort="credit_note", parts=tuple(parts), sums=dict(sums), of=invoice, whole=True)


def _credit_notes(
    charge: Charge, so_far: Mapping[Rate, Sums], originals: Sequence[Original], minor_micro: int
) -> Iterable[Document]:
    need = {rate: (-charge.net_of(rate), -charge.tax_micro.get(rate, 0)) for rate in charge.rates}
    if any(net < 0 or tax < 0 for net, tax in need.values()):
        raise NotYet(
            "Some of it is given back and some is charged, at different rates of tax; it goes off the next invoice."
        )
    notes = []
    known = dict(so_far)
    for original in originals:
        sums: dict[Rate, Sums] = {}
        for rate, (net, tax) in need.items():
            left = original.left.get(rate, Sums())
            take = Sums(min(net, max(0, left.net_micro)), min(tax, max(0, left.tax_micro)))
            if take.empty:
                continue
            coins = _in_coins(take, known.get(rate, Sums()), minor_micro, sign=-1)
            sums[rate] = replace(
                coins,
                net_minor=max(0, min(coins.net_minor, left.net_minor)),
                tax_minor=max(0, min(coins.tax_minor, left.tax_minor)),
            )
            known[rate] = known.get(rate, Sums()).plus(sums[rate], -1)
            need[rate] = (net - take.net_micro, tax - take.tax_micro)
        if sums:
            parts = tuple(_given_back(rate, one) for rate, one in sums.items())
            notes.append(Document(sort="credit_note", parts=parts, sums=sums, of=original.invoice))
    if any(net or tax for net, tax in need.values()):
        raise NotYet(
            "It is given back, and no earlier invoice of this home has as much left to name; it goes off the next one."
        )
    return notes


def _given_back(rate: Rate, one: Sums) -> Part:
    return Part(what="given_back", rate_bp=rate, net_micro=one.net_micro, net_minor=one.net_minor)


def _in_coins(moved: Sums, before: Sums, minor_micro: int, *, sign: int = 1) -> Sums:
    """What moves in coins: the rounded sum with it, less the coins of what was before it."""

    def coins(micro: int, known_micro: int, known_minor: int) -> int:
        return sign * (_nearest(known_micro + sign * micro, minor_micro) - known_minor)

    return replace(
        moved,
        net_minor=coins(moved.net_micro, before.net_micro, before.net_minor),
        tax_minor=coins(moved.tax_micro, before.tax_micro, before.tax_minor),
    )


def _nearest(micro: int, unit: int) -> int:
    return (2 * micro + unit) // (2 * unit)


def _parts(parts: Sequence[Part], sums: Mapping[Rate, Sums], minor_micro: int) -> tuple[Part, ...]:
    """Give each part its coins, so that they come to the coins of its rate: who lost most to rounding gains first."""
    made: list[Part] = list(parts)
    for rate, one in sums.items():
        mine = [n for n, part in enumerate(parts) if part.rate_bp == rate]
        for n in mine:
            made[n] = replace(parts[n], net_minor=parts[n].net_micro // minor_micro)
        short = one.net_minor - sum(made[n].net_minor for n in mine)
        by_loss = sorted(mine, key=lambda n: parts[n].net_micro % minor_micro, reverse=short > 0)
        step = 1 if short > 0 else -1
        for k in range(abs(short)):
            n = by_loss[k % len(by_loss)]
            made[n] = replace(made[n], net_minor=made[n].net_minor + step)
    return tuple(made)

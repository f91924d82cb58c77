"""The prices behind a charge: the reading is rated again, and its prices are named only if they give its amount."""

from __future__ import annotations

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.scalar import pieces
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.units import NANO_PER_MICRO
from fairwatt.flows.explaining.ground import Ground
from fairwatt.reports.asking import Reading
from fairwatt.reports.cells import exact_text
from fairwatt.reports.ledger import Movement
from fairwatt.reports.model import Shape
from fairwatt.store.lines import LineRow, reading_before


class UnitPrices:
    """Rates readings of one wallet again, in their order, each on the ground it was charged on."""

    def __init__(self, asked: Reading) -> None:
        self._asked = asked
        self._grounds: dict[int, Ground] = {}
        self._read: dict[int, LineRow] = {}

    def modulus_wh(self, ref: int) -> int:
        """Where the register of an installation begins again at zero."""
        return self._ground(ref).modulus_wh

    def of(self, line: Movement) -> str:
        """The prices of a reading per kWh, with what was used at each: "0.300 x 0.568 + 0.120 x 0.618"."""
        if line.kind != Kind.READING:
            return ""  # its ref may be a fact's or an entry's id: no register
        state = self._state_before(line)
        if line.energy_wh <= 0 or state.at_us >= line.at_us:
            return ""
        found: dict[int, int] = {}
        nano = state.carry_nano
        try:
            table = self._ground(line.ref).table(seq=line.seq)
            for piece in pieces(table=table, state=state, at_us=line.at_us, energy_wh=line.energy_wh):
                found[piece.price_micro] = found.get(piece.price_micro, 0) + piece.energy_wh
                nano += piece.nano
        except (ValueError, LookupError):
            return ""
        if nano // NANO_PER_MICRO != line.energy_micro:
            return ""  # nothing is named that does not give the amount; the line's own page says more
        used = [(wh, price) for price, wh in found.items() if wh]
        return " + ".join(
            f"{self._text(wh, Shape.ENERGY)} × {self._text(price, Shape.PRICE)}" for wh, price in used
        )

    def _state_before(self, line: Movement) -> RegisterState:
        """Where the register stood; only its first reading of the period looks the one before it up."""
        row = self._row(line)
        before = self._read.get(line.ref) or reading_before(
            cursor=self._asked.cursor, line=row, seq=line.seq, at_us=line.at_us
        )
        self._read[line.ref] = row
        return self._ground(line.ref).state_after(read=before, seq=line.seq)

    def _ground(self, ref: int) -> Ground:
        if ref not in self._grounds:
            self._grounds[ref] = Ground(cursor=self._asked.cursor, installation=ref)
        return self._grounds[ref]

    def _row(self, line: Movement) -> LineRow:
        return LineRow(
            ts_us=line.at_us,
            ref=line.ref,
            wallet=self._asked.ask.wallet or 0,
            seq=line.seq,
            register_wh=line.register_wh,
            counter_wh=line.counter_wh,
            energy_micro=line.energy_micro,
            standing_micro=line.standing_micro,
            tax_micro=line.tax_micro,
            amount_micro=line.amount_micro,
            balance_micro=line.balance_micro,
            batch=line.batch,
            energy_wh=line.energy_wh,
            tariff_version=line.version,
            carry_tax=line.carry_tax,
            book=self._asked.book.pk,
            carry_nano=line.carry_nano,
            kind=line.kind,
        )

    def _text(self, cell: int, shape: Shape) -> str:
        return exact_text(cell=cell, shape=shape, zone=self._asked.zone)

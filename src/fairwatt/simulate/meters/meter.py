"""A virtual prepaid meter: an exact register, a latching relay, a clock, and faults on request.

What others use of it:

* **energy**: `register_wh`, `add_energy`, `tariff`, `reverse_wh`; `emitted` is every register that left it whole
* **load**: `load_w`, `voltage_dv` of the whole meter, or `phases[n]` one by one; `neutral_current_ma`,
  `frequency_chz`, `terminal_temperature_dc`, `residual_current_ma`, `inside_temperature_dc`
* **relay**: `relay_closed`, `ordered_closed`, `moves`, `on_move`, `press_button`, `bypassed`, `keeps_power`
* **limit**: `power_limit_w` cuts by itself after `limit_delay_us`; `own_trips` counts it
* **alarm**: `alarm` is what order 2AH started
* **clock**: `clock_offset_us` and `drift_ppm`; `clock_us(now_us=...)` is what the meter believes
* **what it noticed**: `events`, `freezes`; covers, magnets and power failures come from `faults`
* **what it was told**: `parameters`, `password`, `baud`, `wallet`
* **time**: `pass_time(now_us=...)` lets it take freezes, notice and trip; every answer does that first
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from fairwatt.drivers.contract import MeterEventKind, PhaseReading
from fairwatt.drivers.dlt645.frame import MAX_READ_DATA, Frame, wire_address

from .events import OWN, EventLog, SimEvent
from .faults import Fault, FaultKind, FaultPlan
from .freezes import FreezeBook
from .items import energies
from .load import SimPhase
from .noticing import notice, phase_conditions
from .obeying import obey
from .wallet import SimWallet

DEFAULT_SHIFT_WH: Final = 50_000
_NOTICE_EVERY_US: Final = 1_000_000
_FLAGS: Final = {
    MeterEventKind.UNDERVOLTAGE: "undervoltage",
    MeterEventKind.OVERVOLTAGE: "overvoltage",
    MeterEventKind.OVERLOAD: "overload",
    MeterEventKind.REVERSE_FLOW: "reverse flow",
}


class Emitted(NamedTuple):
    """One register value that left the meter whole: the truth an oracle works from."""

    at_us: int
    register_wh: int
    relay_closed: bool


@dataclass(frozen=True, slots=True)
class RelayMove:
    """One movement of the contacts, at domain time."""

    at_us: int
    closed: bool


class SimMeter:
    """A meter of one phase or three. Energy flows only while the relay is closed (or `bypassed`).

    `register_wh` is exact; what is sent is cut to `resolution_wh` and wraps at `modulus_wh`. Domain time
    comes from the caller; the meter's own clock is domain time + `clock_offset_us`, kept in `zone`.
    A value longer than `frame_bytes` goes out in follow-up frames.
    """

    def __init__(
        self,
        *,
        number: str,
        register_wh: int = 0,
        relay_closed: bool = True,
        zone: str = "Asia/Shanghai",
        password: str = "02123456",  # noqa: S107 - a virtual meter's factory password
        resolution_wh: int = 10,
        modulus_wh: int = 1_000_000_000,
        faults: FaultPlan | None = None,
        phases: int = 1,
        wallet: SimWallet | None = None,
        frame_bytes: int = MAX_READ_DATA,
    ) -> None:
        self.address = wire_address(number=number)
        self.number = self.address[::-1].hex()
        self.register_wh = register_wh
        self.reverse_wh = 0
        self.tariff = 1
        self.other_tariffs_wh: dict[int, int] = {}
        self.relay_closed = relay_closed
        self.ordered_closed = relay_closed
        self.bypassed = False
        self.keeps_power = False
        self.alarm = False
        self.zone = zone
        self.password = password
        self.resolution_wh = resolution_wh
        self.modulus_wh = modulus_wh
        self.faults = faults if faults is not None else FaultPlan(seed=self.number)
        self.wallet = wallet
        self.frame_bytes = frame_bytes
        self.baud = 2_400
        self.button_held = False
        self.parameters: dict[int, bytes] = {}
        self._start_clock()
        self._start_load(phases)
        self.emitted: list[Emitted] = []
        self.moves: list[RelayMove] = []
        self.on_move: Callable[[bool], None] = lambda _: None
        self.events = EventLog()
        self.freezes = FreezeBook(zone=zone)
        self.noticed: set[Fault] = set()
        self.follow_up: tuple[int, list[bytes]] = (0, [])

    def _start_clock(self) -> None:
        self.clock_offset_us = 0
        self.drift_ppm = 0
        self.born_us = 0
        self._passed_us = -_NOTICE_EVERY_US

    def _start_load(self, phases: int) -> None:
        self.phases = [SimPhase() for _ in range(phases)]
        self.frequency_chz = 5_000
        self.inside_temperature_dc = 250
        self.terminal_temperature_dc: int | None = 300
        self.residual_current_ma: int | None = 2
        self.neutral_current_ma: int | None = None
        self.low_battery = False
        self.power_limit_w: int | None = None
        self.limit_delay_us = 60_000_000
        self.over_since_us: int | None = None
        self.own_trips = 0

    # --- energy and load ------------------------------------------------------------------------------------

    @property
    def load_w(self) -> int:
        """The power behind the relay, over all phases."""
        return sum(phase.load_w for phase in self.phases)

    @load_w.setter
    def load_w(self, load_w: int) -> None:
        share, rest = divmod(load_w, len(self.phases))
        for number, phase in enumerate(self.phases):
            phase.load_w = share + (number < rest)

    @property
    def voltage_dv(self) -> int:
        """The voltage of phase A; set, that of every phase."""
        return self.phases[0].voltage_dv

    @voltage_dv.setter
    def voltage_dv(self, voltage_dv: int) -> None:
        for phase in self.phases:
            phase.voltage_dv = voltage_dv

    @property
    def flows(self) -> bool:
        """Whether the load is fed now."""
        return self.relay_closed or self.bypassed

    def seen(self) -> tuple[PhaseReading, ...]:
        """Return what the meter measures on each phase."""
        flows = self.flows
        return tuple(phase.seen(flows=flows) for phase in self.phases)

    def neutral_current(self) -> int:
        """Return the neutral's current: as set, or what a home without a fault has on one phase or three."""
        if self.neutral_current_ma is not None:
            return self.neutral_current_ma
        currents = [abs(one.current_ma or 0) for one in self.seen()]
        return currents[0] if len(currents) == 1 else max(currents) - min(currents)

    def phase_flags(self, phase: int) -> set[str]:
        """Name what is wrong with one phase now, in the words of status words 4 to 6."""
        return {_FLAGS[kind] for kind in phase_conditions(self, phase)}

    def add_energy(self, wh: int) -> int:
        """Let the home use energy; return what really flowed, which is 0 while the relay is open."""
        if wh < 0:
            raise ValueError("A home does not use negative energy.")
        if not self.flows:
            return 0
        self.register_wh += wh
        if self.tariff != 1:
            self.other_tariffs_wh[self.tariff] = self.other_tariffs_wh.get(self.tariff, 0) + wh
        return wh

    def tariff_wh(self, number: int) -> int:
        """Return one tariff's register; the first holds what no other does."""
        if number == 1:
            return self.register_wh - sum(self.other_tariffs_wh.values())
        return self.other_tariffs_wh.get(number, 0)

    def shown_wh(self, *, now_us: int) -> int:
        """Return the register as the meter would send it now, wrapped, cut and faulty."""
        wh = self.register_wh
        if fault := self.faults.strikes(FaultKind.BACKWARD, now_us=now_us):
            wh -= fault.amount or DEFAULT_SHIFT_WH
        if fault := self.faults.strikes(FaultKind.JUMP, now_us=now_us):
            wh += fault.amount or DEFAULT_SHIFT_WH
        wh %= self.modulus_wh
        return wh - wh % self.resolution_wh

    # --- clock and the passing of time ----------------------------------------------------------------------

    def clock_us(self, *, now_us: int) -> int:
        """Return what the meter believes the time is."""
        fault = self.faults.strikes(FaultKind.WRONG_CLOCK, now_us=now_us)
        drift_us = (now_us - self.born_us) // 1_000_000 * self.drift_ppm if self.drift_ppm else 0
        return now_us + self.clock_offset_us + drift_us + (fault.amount if fault else 0)

    def own_clock(self, at_us: int) -> int:
        """Turn an instant of domain time into the meter's own, for its records."""
        return self.clock_us(now_us=at_us)

    def pass_time(self, *, now_us: int) -> None:
        """Let the meter take its freezes, notice what goes on and cut above its limit. Cheap when repeated."""
        if not self.born_us:
            self.born_us = now_us
        if 0 <= now_us - self._passed_us < _NOTICE_EVERY_US:
            return
        self._passed_us = now_us
        notice(self, now_us=now_us)
        self.freezes.pass_time(clock_us=self.own_clock(now_us), energies=lambda: energies(self))

    # --- orders ---------------------------------------------------------------------------------------------

    def answer(self, *, frame: Frame, now_us: int) -> tuple[bytes, int | None] | None:
        """Obey one request addressed to this meter.

        Returns the reply and the register value it carries (None for other items), or None where a
        meter keeps silent: to broadcasts, to what is no request, and to the 1997 edition.
        """
        self.pass_time(now_us=now_us)
        return obey(self, frame, now_us=now_us)

    def press_button(self, *, now_us: int) -> bool:
        """Let a person at the meter close a permitted relay; say whether there is supply now."""
        if self.ordered_closed:
            self.move(closed=True, now_us=now_us)
        return self.relay_closed

    def move(self, *, closed: bool, now_us: int, operator: str = OWN) -> None:
        """Order the contacts; a stuck relay stays where it is. The meter writes down whose order it was."""
        self.ordered_closed = closed
        if self.faults.strikes(FaultKind.STUCK_RELAY, now_us=now_us) or self.relay_closed == closed:
            return
        self.relay_closed = closed
        self.moves.append(RelayMove(now_us, closed))
        kind = MeterEventKind.RELAY_CLOSED if closed else MeterEventKind.RELAY_OPENED
        at_us = self.own_clock(now_us)
        self.events.note(kind, SimEvent(at_us, at_us, operator))
        self.on_move(closed)

    def take_address(self, address: bytes) -> None:
        """Answer to another address from now on."""
        self.address = address
        self.number = address[::-1].hex()

    def note_emitted(self, *, at_us: int, register_wh: int) -> None:
        """Record that a register value left the meter undamaged."""
        self.emitted.append(Emitted(at_us, register_wh, self.relay_closed))

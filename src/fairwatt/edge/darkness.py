"""Why is it dark, asked at the gateway: what its own meters and orders say, with no server to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairwatt.core.alarms.dark import FRESH_US, DarkFacts, Darkness, Heard, Sign, why_dark
from fairwatt.core.alarms.picture import Picture, known
from fairwatt.core.alarms.watch import Hold
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.records import Relay


@dataclass(slots=True)
class _Seen:
    """One meter since this program began: its newest picture, when power was on, when energy flowed, what was told."""

    picture: Picture | None = None
    closed_us: int | None = None
    used_us: int | None = None
    signs: list[Heard] = field(default_factory=list)


class LastSeen:
    """What was last seen of each meter. Forgotten at a restart: then an open relay is unexplained, and said to be."""

    def __init__(self) -> None:
        self._meters: dict[int, _Seen] = {}

    def take(self, meter: int, picture: Picture) -> None:
        """Note a picture that was just taken."""
        seen = self._meters.setdefault(meter, _Seen())
        before = seen.picture
        if picture.relay_closed:
            seen.closed_us = picture.at_us
        rose = (
            before is not None
            and picture.register_wh is not None
            and before.register_wh is not None
            and picture.register_wh > before.register_wh
        )
        if rose or (picture.total_w or 0) > 0:
            seen.used_us = picture.at_us
        seen.picture = picture

    def ordered(self, meter: int, *, relay: int, reason: str, at_us: int) -> None:
        """Note an order that is carried out: whose word opened or closed the relay."""
        signs = self._meters.setdefault(meter, _Seen()).signs
        if relay == RelayOrder.OPEN:
            signs.append(Heard(at_us, Sign.OPERATOR_CUT if reason == "operator" else Sign.CREDIT_CUT))
        elif relay == RelayOrder.CLOSED:
            signs += [Heard(at_us, Sign.OPERATOR_RESTORED), Heard(at_us, Sign.CREDIT_RESTORED)]
        del signs[:-8]

    def why_dark(
        self,
        *,
        meter: int,
        neighbours: Sequence[int],
        hold: Hold | None,
        tripped: bool,
        silent: bool,
        relay: int,
        said_dark: bool,
        now_us: int,
    ) -> Darkness:
        """Name the cause for one meter; ``neighbours`` are the others on its bus, ``relay`` where its relay is now."""
        seen = self._meters.get(meter, _Seen())
        picture = seen.picture
        read_us = None if picture is None else picture.at_us
        signs = list(seen.signs)
        if hold is not None:
            signs.append(Heard(hold.since_us, Sign.SAFETY_CUT, str(hold.code)))
        if tripped:
            signs.append(Heard(max(seen.closed_us or 0, now_us - FRESH_US), Sign.CREDIT_CUT))
        if silent:
            signs.append(Heard(now_us, Sign.METER_SILENT))
        relay_closed = None if picture is None else picture.relay_closed
        if relay != Relay.UNKNOWN:
            relay_closed = relay == Relay.CLOSED  # it was switched, and asked, after the picture was taken
        voltages = [] if picture is None else known(picture.voltages_dv)
        facts = DarkFacts(
            now_us=now_us,
            said_dark=said_dark,
            read_us=read_us,
            relay_closed=relay_closed,
            power_w=None if picture is None else picture.total_w,
            voltage_dv=max(voltages) if voltages else None,
            voltage_us=read_us if voltages else None,
            closed_us=seen.closed_us,
            used_us=seen.used_us,
            gateway_us=now_us,
            neighbours=len(neighbours),
            neighbours_silent=sum(not self._is_fresh(one, now_us) for one in neighbours),
            heard=tuple(signs),
        )
        return why_dark(facts=facts)

    def _is_fresh(self, meter: int, now_us: int) -> bool:
        picture = self._meters.get(meter, _Seen()).picture
        return picture is not None and now_us - picture.at_us <= FRESH_US

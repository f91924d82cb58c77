"""A notice for the door: one A4 page in both languages, with a code that leads to the home's page."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from fairwatt.reports.typeset import drawn_code, set_sheet


@dataclass(frozen=True, kw_only=True)
class DoorNotice:
    """What it says. `least`: what has to be paid at least, or empty where there is credit."""

    organisation: str
    place: str
    balance: str
    least: str
    number: str
    made: str
    url: str
    at_us: int


def set_notice(*, said: DoorNotice) -> bytes:
    """The PDF; the same notice gives the same bytes."""
    content = {**asdict(said), "code": drawn_code(said.url)}
    return set_sheet(sheet="door_notice", content=content, at_us=said.at_us)

"""The catalogue against the independent package's tables, and the written protocol against the catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dlt645.config.parameter_types import PARAMETER_TYPES
from dlt645.config.variable_types import VARIABLE_TYPES
from dlt645.model.data.define.demand_def import demand_di_list
from dlt645.model.data.define.energy_def import energy_di_list

from fairwatt.drivers.dlt645.catalog import find_entry
from fairwatt.drivers.dlt645.status import flags_of, word_of

PAGE = Path(__file__).parents[2] / "docs" / "protocol" / "dlt645.md"
VENDORS = {"02FE0001", "02FE0002"}


def size_of(notation: str) -> int:
    return len(re.sub(r"[.,]", "", notation)) // 2


TABLES = {"variable": VARIABLE_TYPES, "parameter": PARAMETER_TYPES}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_items_are_as_long_as_in_the_peers_tables(table: tuple[dict[str, str], ...]) -> None:
    rows: dict[str, list[str]] = {}
    for row in table:
        rows.setdefault(row["Di"], []).append(row["DataFormat"])
    wrong = {}
    for identifier, notations in rows.items():
        entry = find_entry(identifier=int(identifier, 16))
        told = sum(size_of(notation) for notation in notations)
        if identifier.startswith(
            "0404"
        ):  # the standard has a screen number behind the item; the peer leaves it out
            told += 1
        if entry is None:
            wrong[identifier] = "missing"
        elif not entry.repeats and entry.size != told:
            wrong[identifier] = f"{entry.size} bytes, theirs {told}"
    assert not wrong
    assert len(rows) > 30


def test_every_energy_and_demand_of_the_peer_has_a_name_and_its_length() -> None:
    assert {_size(di) for di in energy_di_list} == {4}
    assert {_size(di) for di in demand_di_list} == {8}


def _size(identifier: int) -> int:
    entry = find_entry(identifier=identifier)
    assert entry is not None, f"{identifier:08X}"
    return entry.size


def test_every_identifier_in_the_written_protocol_is_in_the_catalogue() -> None:
    written = set(re.findall(r"`([0-9A-F]{8})`", PAGE.read_text(encoding="utf-8"))) - VENDORS
    assert len(written) > 150
    assert not [one for one in sorted(written) if find_entry(identifier=int(one, 16)) is None]


def test_status_words_are_named_bit_by_bit() -> None:
    assert flags_of(word=3, bits=0x0050) == ("relay open", "relay ordered open")
    assert flags_of(word=1, bits=0x8001) == ("bit 0", "fault of the infrared authentication")
    assert word_of(word=4, flags=frozenset({"overvoltage", "broken current"})) == b"\x04\x01"

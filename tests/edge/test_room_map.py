"""A map of rooms is taken as it is meant, or refused by line and reason."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairwatt.cli.main import app
from fairwatt.edge.room_map import Row, read_map

HEAD = "room,bus,number,address,profile,ct_primary,ct_secondary\n"


def test_a_good_map_is_read_with_its_defaults() -> None:
    text = HEAD + "1-101,riser,,202700000001,,,\n 1-102 ,riser,7,3,modbus_single_phase,1,1\n"
    rows, faults = read_map(text=text, buses=["riser"])
    assert not faults
    assert rows == [
        Row(
            line=2,
            room="1-101",
            bus="riser",
            number=202_700_000_001,
            address="202700000001",
            profile="dlt645_single_phase",
        ),
        Row(line=3, room="1-102", bus="riser", number=7, address="3", profile="modbus_single_phase"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",riser,,1,,,", "room is empty"),
        ("1,roof,,1,,,", "no bus 'roof'"),
        ("1,riser,,AAAAAAAAAAAA,,,", "is no meter number"),
        ("1,riser,5,AAAAAAAAAAAA,,,", "needs the full address of one meter"),
        ("1,riser,,2027000000012,,,", "not a DL/T 645 address"),
        ("1,riser,5,248,modbus_single_phase,,", "not a Modbus unit"),
        ("1,riser,,1,no_such_model,,", "no meter profile"),
        ("1,riser,,1,,5,100", "would pay a fraction"),
        ("1,riser,,1,,100,", "two whole numbers"),
        ("1,riser,,1,,0,0", "two whole numbers"),
        ("1,riser,,1,,", "more or fewer cells"),
        ("9,riser,8,007,,,", "two rooms would be charged by one meter"),
        ("9,riser,7,2,,,", "two rooms would be charged by one meter"),
    ],
)
def test_each_mistake_is_named_with_its_line_and_spoils_only_its_line(row: str, said: str) -> None:
    rows, faults = read_map(text=HEAD + "0,riser,7,7,,,\n" + row + "\n", buses=["riser"])
    assert [one.line for one in rows] == [2]
    assert [one.line for one in faults] == [3]
    assert said in faults[0].text


@pytest.mark.parametrize(
    "text", ["", "room,bus\n1,2\n", HEAD, "room,bus,address,colour\n1,2,3,red\n", "room,bus,bus\n"]
)
def test_a_file_that_is_no_map_is_refused(text: str) -> None:
    rows, faults = read_map(text=text)
    assert rows == []
    assert [one.line for one in faults] == [1]


def test_the_command_writes_the_tables_of_the_settings_or_names_every_fault(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("room,bus,address\n1-101,riser,202700000001\n", encoding="utf-8")
    bad.write_text("room,bus,address\n,riser,1\n1-102,riser,x\n", encoding="utf-8")
    told = CliRunner().invoke(app, ["edge", "map", str(good)])
    assert told.exit_code == 0
    assert 'bus "riser"' in told.stdout
    assert "number = 202700000001" in told.stdout
    refused = CliRunner().invoke(app, ["edge", "map", str(bad), "--json"])
    assert refused.exit_code == 1
    assert [one["line"] for one in json.loads(refused.stdout)["faults"]] == [2, 3]

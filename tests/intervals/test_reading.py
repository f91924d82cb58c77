"""Files as people send them: every form read by one reader, every defect told, rubbish refused by name."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from fairwatt.cli.main import app
from fairwatt.core.metering.vee.model import Status
from fairwatt.intervals.contract import IntervalFileError
from fairwatt.intervals.examine import Examined, Terms, examine
from fairwatt.intervals.reader import read_file

DATA = Path(__file__).parents[1] / "data"
LONDON = DATA / "lcl_mac000002_halfhourly.csv.gz"
SMALL, LARGE = DATA / "greenbutton_espi_15min_small.xml", DATA / "greenbutton_espi_15min_1340readings.xml"
NOW_US = 1_800_000_000_000_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def written(folder: Path, text: str, name: str = "use.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def looked_at(path: Path, *, home: str = "", zone: str = "UTC") -> Examined:
    file = read_file(path=path, zone=zone)
    return examine(file=file, home=home or next(iter(file.homes)), terms=Terms(zone=zone, now_us=NOW_US))


def counts(one: Examined) -> dict[str, int]:
    return {found.rule: found.count for found in one.findings}


# --- real files -------------------------------------------------------------------------------------------------


def test_every_real_defect_of_the_london_home_is_reported() -> None:
    one = looked_at(LONDON)

    found = {finding.rule: finding for finding in one.findings}
    assert (found["null"].count, found["null"].first_row) == (1, 3242)
    assert (found["off_grid"].count, found["off_grid"].first_row) == (1, 3242)
    assert (found["duplicate_equal"].count, found["duplicate_equal"].first_row) == (17, 385)
    assert (found["gap"].count, found["gap"].first_us) == (5, at("2012-10-12 11:00"))
    assert found["rounded"].count == 117
    assert [(v.rule, v.status) for v in one.completed.estimated].count(("like_days", Status.ESTIMATED)) == 48
    assert len(one.completed.estimated) == 52
    assert (
        len(one.completed.values)
        == 24_192
        == (at("2014-02-28 00:30") - at("2012-10-12 00:30")) // one.step_us
    )


def test_what_was_sent_stays_as_it_was_sent() -> None:
    one = looked_at(LONDON)
    sent = {row.number: row for row in one.rows}
    assert len(one.rows) == 24_158
    assert (sent[3242].wh, sent[3242].text) == (None, "")
    assert (sent[421].wh, sent[421].text) == (1453, "1.4529999")


def test_a_green_button_feed_reads_whole() -> None:
    small, large = read_file(path=SMALL), read_file(path=LARGE)

    rows = small.homes["5446AF3F"]
    assert (small.format, len(rows), small.step_us, small.zone) == (
        "espi",
        96,
        900_000_000,
        "America/New_York",
    )
    assert (rows[0].at_us, rows[0].wh, rows[0].status) == (at("2012-03-01 05:00"), 282, Status.ESTIMATED)
    assert (rows[1].wh, rows[1].status) == (323, Status.EDITED)
    assert {row.status for row in rows[2:]} == {Status.ACTUAL}
    assert sum(row.wh or 0 for row in rows) == 93_846
    assert len(large.homes["5446AF3F"]) == 1340 and not large.unreadable
    one = looked_at(LARGE, zone="America/New_York")
    days = [(span.end_us - span.start_us) // 3_600_000_000 for span in one.validated.series.days()]
    assert days == [24] * 10 + [23] + [24] * 3, "11 March 2012 has 23 hours in New York"
    assert "interval_count" not in counts(one) and "gap" not in counts(one)


# --- forms ------------------------------------------------------------------------------------------------------

SAME = [("a", "2013-01-01 00:00", "5"), ("a", "2013-01-01 00:30", "0"), ("a", "2013-01-01 01:00", "7")]


@pytest.mark.parametrize(
    "text",
    [
        "meter,ts,wh\n" + "".join(f"{','.join(row)}\n" for row in SAME),
        "meter;ts;kwh\r\na;2013-01-01 00:00;0,005\r\na;2013-01-01T00:30;0,000\r\na;2013-01-01 01:00:00;0,007\r\n",
        "LCLid\tstdorToU\tDateTime\tKWH/hh (per half hour) \na\tStd\t2013-01-01 00:00:00.0000000\t 0.005 \n"
        "a\tStd\t2013-01-01 00:30:00.0000000\t 0 \na\tStd\t2013-01-01 01:00:00.0000000\t 7e-3 \n",
        "timestamp|wh\n2013-01-01T00:00Z|5\n2013-01-01T08:30+08:00|0\n2012-12-31T20:00-05:00|7\n",
    ],
)
def test_the_same_use_reads_alike_whatever_the_table_looks_like(text: str, tmp_path: Path) -> None:
    packed = tmp_path / "use.csv.gz"
    packed.write_bytes(gzip.compress(text.encode("utf-8-sig")))

    for path in (written(tmp_path, text), packed):
        (rows,) = read_file(path=path).homes.values()
        assert [(row.at_us - rows[0].at_us, row.wh) for row in rows] == [
            (0, 5),
            (1_800_000_000, 0),
            (3_600_000_000, 7),
        ]
        assert rows[0].at_us == at("2013-01-01 00:00") and rows[0].number == 2


def test_parquet_floats_are_taken_by_their_decimal_form(tmp_path: Path) -> None:
    stamps = pa.array([at("2013-01-01 00:00"), at("2013-01-01 00:30")], pa.timestamp("us"))
    table = pa.table(
        {"customer_id": ["a", "a"], "ts_local": stamps, "kwh": pa.array([0.141, None], pa.float32())}
    )
    pq.write_table(table, tmp_path / "use.parquet")

    (rows,) = read_file(path=tmp_path / "use.parquet", zone="Australia/Brisbane").homes.values()

    assert [(row.wh, row.note) for row in rows] == [(141, ""), (None, "")]
    assert rows[0].at_us == at("2012-12-31 14:00")


def test_kilowatt_hours_are_exact_or_said_to_be_rounded(tmp_path: Path) -> None:
    text = "meter,ts,kwh\na,2013-01-01 00:00,1.0005\na,2013-01-01 00:30,1.000499\na,2013-01-01 01:00,12.345\n"
    (rows,) = read_file(path=written(tmp_path, text)).homes.values()

    assert [(row.wh, row.note) for row in rows] == [(1001, "rounded"), (1000, "rounded"), (12_345, "")]


def test_mean_power_adds_up_to_its_energy_within_a_watt_hour(tmp_path: Path) -> None:
    lines = "".join(f"2013-01-01 00:{minute:02d},0.123,230.1\n" for minute in range(60))
    (rows,) = read_file(path=written(tmp_path, "ts,active_power_kw,voltage_v\n" + lines)).homes.values()

    assert sum(row.wh or 0 for row in rows) == 123
    assert {row.wh for row in rows} == {2, 3}


def test_the_doubled_hour_is_told_apart_by_order_and_the_skipped_one_refused(tmp_path: Path) -> None:
    autumn = "".join(f"a,2013-10-27 {hour}:00,1\n" for hour in ("00", "01", "01", "02"))
    spring = "".join(f"a,2013-03-31 {hour}:00,1\n" for hour in ("00", "01", "02"))

    (rows,) = read_file(path=written(tmp_path, "meter,ts,wh\n" + autumn), zone="Europe/London").homes.values()
    skipped = read_file(path=written(tmp_path, "meter,ts,wh\n" + spring), zone="Europe/London")

    assert [(row.at_us - rows[0].at_us) // 3_600_000_000 for row in rows] == [0, 1, 2, 3]
    assert [(bad.row, "put forward" in bad.detail) for bad in skipped.unreadable] == [(3, True)]


def test_a_row_that_cannot_be_read_is_told_with_its_line_and_the_rest_is_used(tmp_path: Path) -> None:
    lines = ["a,2013-01-01 00:00,5", "a,01/02/2013 00:30,5", "a,2013-01-01 01:00,five", "a,2013-01-01 01:30"]
    lines += [f"a,2013-01-01 {hour:02d}:00,9" for hour in range(2, 8)]
    file = read_file(path=written(tmp_path, "meter,ts,wh\n" + "\n".join(lines) + "\n"))

    assert [bad.row for bad in file.unreadable] == [3, 4, 5]
    assert "write it as 2013-01-31" in file.unreadable[0].detail
    assert "'five' is no number" in file.unreadable[1].detail
    one = examine(file=file, home="a", terms=Terms(zone="UTC", now_us=NOW_US))
    assert counts(one)["unreadable_row"] == 3


def test_two_copies_of_a_feed_scale_by_their_power_of_ten(tmp_path: Path) -> None:
    text = SMALL.read_text()
    kilo = text.replace("<powerOfTenMultiplier>0<", "<powerOfTenMultiplier>3<")
    milli = text.replace("<powerOfTenMultiplier>0<", "<powerOfTenMultiplier>-3<")

    for changed, first in ((kilo, (282_000, "")), (milli, (0, "rounded"))):
        (rows,) = read_file(path=written(tmp_path, changed, "feed.xml")).homes.values()
        assert (rows[0].wh, rows[0].note) == first


# --- rubbish ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("nothing.csv", b"", "file_empty"),
        ("header.csv", b"meter,ts,wh\n", "file_empty"),
        ("empty.xml", b'<feed xmlns="http://www.w3.org/2005/Atom"/>', "file_empty"),
        ("other.xml", b"<html></html>", "file_broken"),
        ("cut.xml", SMALL.read_bytes()[:9000], "file_broken"),
        ("cut.csv.gz", LONDON.read_bytes()[:9000], "file_broken"),
        ("binary.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "file_broken"),
        ("cut.parquet", b"PAR1abc", "file_broken"),
        ("unit.xml", SMALL.read_bytes().replace(b"<uom>72<", b"<uom>119<"), "unknown_unit"),
        ("columns.csv", b"house,when,much\na,2013-01-01,5\n", "unknown_columns"),
        ("prose.csv", b"meter,ts,wh\nhello,world,foo\n", "file_broken"),
    ],
)
def test_rubbish_is_refused_by_name(name: str, content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(IntervalFileError) as caught:
        read_file(path=tmp_path / name)

    assert caught.value.code == code
    assert name in str(caught.value)


def test_a_feed_with_entities_is_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE feed [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><feed xmlns="http://www.w3.org/2005/Atom">&b;</feed>'

    with pytest.raises(IntervalFileError, match="not readable XML"):
        read_file(path=written(tmp_path, bomb, "bomb.xml"))


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_tells_every_defect_as_a_table_and_as_json() -> None:
    shown = CliRunner().invoke(app, ["import", "readings", str(LONDON)])
    told = CliRunner().invoke(app, ["import", "readings", str(LONDON), "--json"])

    assert shown.exit_code == told.exit_code == 0
    assert "duplicate_equal" in shown.stdout and "52 intervals estimated" in shown.stdout
    (home,) = json.loads(told.stdout)["homes"]
    kinds = {defect["kind"]: defect["count"] for defect in home["defects"]}
    assert (kinds["null"], kinds["off_grid"], kinds["duplicate_equal"], kinds["gap"]) == (1, 1, 17, 5)
    assert home["status"] == {"A": 24_140, "E": 52}


def test_the_command_refuses_rubbish_with_code_two(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["import", "readings", str(written(tmp_path, ""))])

    assert done.exit_code == 2
    assert "file_empty" in done.stderr

"""Files made to break the reader: each is refused by name, quickly, within bounded memory."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairwatt.intervals import contract, csv_file, parquet_file
from fairwatt.intervals.bulk import read_bulk
from fairwatt.intervals.contract import FileBroken, FileTooLarge, UnreadableValue
from fairwatt.intervals.reader import read_file

# --- Green Button -----------------------------------------------------------------------------------------------

NO_NUMBERS = ("--5", "9" * 5_000, "١٣٧", "1e5", "+5", "9" * 12)


def feed(
    folder: Path, *, start: str = "1370000000", power: str = "0", length: str = "3600", offset: str = "0"
) -> Path:
    """A feed of two readings; the second always begins well."""
    readings = "".join(
        f"<e:IntervalReading><e:timePeriod><e:duration>{length}</e:duration><e:start>{begin}</e:start></e:timePeriod>"
        "<e:value>5</e:value></e:IntervalReading>"
        for begin in (start, "1370003600")
    )
    path = folder / "feed.xml"
    path.write_text(
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi">'
        '<entry><link rel="self" href="r/1"/><content><e:ReadingType><e:uom>72</e:uom>'
        f"<e:powerOfTenMultiplier>{power}</e:powerOfTenMultiplier><e:intervalLength>{length}</e:intervalLength>"
        "</e:ReadingType></content></entry>"
        f"<entry><content><e:LocalTimeParameters><e:tzOffset>{offset}</e:tzOffset></e:LocalTimeParameters></content>"
        '</entry><entry><link rel="up" href="UsagePoint/1/MeterReading/1/IntervalBlock"/><content><e:IntervalBlock>'
        f"{readings}</e:IntervalBlock></content></entry></feed>",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("text", [*NO_NUMBERS, "-1", "4102444801"])
def test_a_start_outside_1970_to_2100_sets_its_row_aside(text: str, tmp_path: Path) -> None:
    file = read_file(path=feed(tmp_path, start=text))

    assert "no start between 1970 and 2100" in file.unreadable[0].detail
    assert [row.wh for row in file.homes["1"]] == [5]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "13"])
def test_a_scale_that_cannot_be_read_is_never_taken_for_one(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableValue, match="powerOfTenMultiplier") as refused:
        read_file(path=feed(tmp_path, power=text))
    assert "Nothing was read" in str(refused.value) and len(str(refused.value)) < 250


@pytest.mark.parametrize("text", [*NO_NUMBERS, "-900", "2678401", "9" * 30])
def test_an_interval_is_no_longer_than_a_month(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableValue, match="intervalLength"):
        read_file(path=feed(tmp_path, length=text))


@pytest.mark.parametrize("text", [*NO_NUMBERS, "99999"])
def test_an_offset_that_cannot_be_read_names_no_clock(text: str, tmp_path: Path) -> None:
    assert read_file(path=feed(tmp_path, offset=text)).zone is None


def test_energy_that_no_meter_holds_is_set_aside(tmp_path: Path) -> None:
    path = feed(tmp_path, power="12")
    path.write_text(path.read_text().replace("<e:value>5<", "<e:value>5000<", 1))

    assert "beyond any meter" in read_file(path=path).unreadable[0].detail


# --- tables -----------------------------------------------------------------------------------------------------

HEAD = "home,start,wh\n"


def test_a_packed_file_without_a_line_end_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(b"," * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(FileBroken, match="a line of more than 65536 letters") as refused:
            read_file(path=path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert "Nothing was read" in str(refused.value)


@pytest.mark.parametrize(("limit", "most"), [("BYTES_MAX", 40), ("ROWS_MAX", 3)])
def test_a_packed_file_unpacks_to_so_much_and_no_more(
    limit: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "use.csv.gz"
    path.write_bytes(gzip.compress((HEAD + "a,2013-01-01 00:00,5\n" * 9).encode()))
    monkeypatch.setattr(csv_file, limit, most)

    with pytest.raises(FileTooLarge, match="split it by time or home"):
        read_file(path=path)


def test_unreadable_rows_are_not_collected_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "use.csv"
    path.write_text(HEAD + "a,2013-01-01 00:00,5\n" * 99 + "a\n" * 9)
    monkeypatch.setattr(csv_file, "UNREADABLE_MAX", 8)

    with pytest.raises(FileBroken, match="more than 8 rows cannot be read"):
        read_file(path=path)


def test_lines_may_end_as_on_any_machine(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "use.csv"
        path.write_text(
            (HEAD + "a,2013-01-01 00:00,5\na,2013-01-01 00:30,6\n").replace("\n", end), newline=""
        )
        assert [row.wh for row in read_file(path=path).homes["a"]] == [5, 6]


@pytest.mark.parametrize(
    ("limit", "most"), [("ROWS_MAX", 999), ("BYTES_MAX", 10_000), ("HELD_BYTES_MAX", 100_000)]
)
def test_a_parquet_table_is_weighed_before_it_is_held(
    limit: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "use.parquet"
    stamps = pa.array(range(1_000), pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"home": ["a" * 500] * 1_000, "start": stamps, "wh": [5] * 1_000}), path)
    monkeypatch.setattr(parquet_file, limit, most)

    with pytest.raises(FileTooLarge, match="Nothing was read; split it by time or home"):
        read_file(path=path)
    monkeypatch.setattr("fairwatt.intervals.bulk.COLUMN_ROWS_MAX", 999)
    with pytest.raises(FileTooLarge):
        read_bulk(path=path)


def test_the_limits_let_a_city_block_through() -> None:
    assert contract.ROWS_MAX >= 200 * 17_520 and contract.COLUMN_ROWS_MAX >= 2_000 * 17_520

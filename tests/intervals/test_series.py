"""Interval files: real use goes in whole, broken files are refused by name, gaps are told, not filled."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairwatt.intervals.contract import (
    DuplicateStamp,
    EnergyTooLarge,
    FileBroken,
    FileEmpty,
    IntervalFileError,
    NegativeEnergy,
    OffGrid,
    OutsideSpan,
    UnknownColumns,
    UnreadableValue,
)
from fairwatt.intervals.series import HALF_HOUR_US, Gap, read_intervals
from fairwatt.simulate.homes import STREET, street_homes


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def csv_file(folder: Path, *lines: str, header: str = "lclid,ts,wh") -> Path:
    path = folder / "use.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_street_has_24_homes_with_nearly_every_half_hour_of_2013() -> None:
    homes = read_intervals(path=STREET)

    assert len(homes) == 24
    assert sum(series.missing for series in homes.values()) == 2
    assert {(series.start_us, series.end_us) for series in homes.values()} == {
        (at("2013-01-01"), at("2014-01-01"))
    }
    totals_kwh = sorted(series.total_wh // 1000 for series in homes.values())
    assert totals_kwh[0] < 200 and totals_kwh[-1] > 11_000, "the homes should differ"


def test_the_streets_attribution_ships_beside_its_data() -> None:
    words = (STREET.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")

    assert "Contains data from UK Power Networks' Low Carbon London project, CC BY 4.0." in words


def test_the_demo_span_is_complete_for_all_its_homes() -> None:
    homes = street_homes(count=20, start_us=at("2013-03-18"), end_us=at("2013-04-17"))

    assert all(len(home.wh) == 30 * 48 and not home.gaps for home in homes)


def test_a_longer_street_uses_the_homes_again_on_the_same_weekdays_of_other_weeks() -> None:
    homes = street_homes(count=50, start_us=at("2013-11-20"), end_us=at("2013-12-20"))

    assert len({home.home for home in homes}) == 50
    assert {(home.start_us, home.end_us) for home in homes} == {(at("2013-11-20"), at("2013-12-20"))}
    (four_weeks_before,) = street_homes(count=1, start_us=at("2013-10-23"), end_us=at("2013-11-22"))
    assert homes[24].wh == four_weeks_before.wh


def test_csv_and_parquet_of_the_same_use_read_alike(tmp_path: Path) -> None:
    stamps = [at("2013-01-01T00:00") + n * HALF_HOUR_US for n in range(3)]
    table = pa.table({"meter": ["a"] * 3, "ts": pa.array(stamps, pa.timestamp("us")), "wh": [5, 0, 7]})
    pq.write_table(table, tmp_path / "use.parquet")
    lines = ["a,2013-01-01T00:00,5", "a,2013-01-01 00:30:00,0", "a,2013-01-01T09:00:00+08:00,7"]

    from_csv = read_intervals(path=csv_file(tmp_path, *lines, header="meter,ts,wh"))

    assert from_csv == read_intervals(path=tmp_path / "use.parquet")
    assert list(from_csv["a"].wh) == [5, 0, 7]


def test_a_gap_is_told_and_holds_no_energy(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,2013-01-01T00:00,5", "a,2013-01-01T02:00,7")

    series = read_intervals(path=path)["a"]

    assert series.gaps == (Gap(at("2013-01-01T00:30"), at("2013-01-01T02:00")),)
    assert (series.missing, list(series.wh)) == (3, [5, 0, 0, 0, 7])
    cut = series.window(start_us=at("2013-01-01T01:00"), end_us=at("2013-01-01T02:30"))
    assert (cut.missing, list(cut.wh)) == (2, [0, 0, 7])


@pytest.mark.parametrize(
    ("lines", "error", "code"),
    [
        ([], FileEmpty, "file_empty"),
        (["a,2013-01-01T00:00,Null"], UnreadableValue, "unreadable_value"),
        (["a,2013-01-01T00:00,5", "a,yesterday,5"], UnreadableValue, "unreadable_value"),
        (["a,2013-01-01T00:00,5", "a,2013-01-01T00:00,0.5"], UnreadableValue, "unreadable_value"),
        (["a,2013-01-01T00:00,5", "a,2013-01-01T00:00"], UnreadableValue, "unreadable_value"),
        (["a,yesterday,5"], FileBroken, "file_broken"),
        (["a,2013-01-01T00:00,-5"], NegativeEnergy, "negative_energy"),
        (["a,2013-01-01T00:00,900000"], EnergyTooLarge, "energy_too_large"),
        (["a,2013-01-01T00:00:02,5"], OffGrid, "off_grid"),
        (["a,2013-01-01T00:00,5", "a,2013-01-01T00:00,5"], DuplicateStamp, "duplicate_stamp"),
    ],
)
def test_a_faulty_file_is_refused_by_name(
    tmp_path: Path, lines: list[str], error: type[IntervalFileError], code: str
) -> None:
    with pytest.raises(error) as caught:
        read_intervals(path=csv_file(tmp_path, *lines))

    assert caught.value.code == code


def test_foreign_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownColumns, match="house"):
        read_intervals(path=csv_file(tmp_path, header="house,DateTime,KWH/hh"))


def test_a_cut_off_parquet_file_is_broken_not_empty(tmp_path: Path) -> None:
    (tmp_path / "cut.parquet").write_bytes(STREET.read_bytes()[:5000])

    with pytest.raises(FileBroken, match=r"cut\.parquet"):
        read_intervals(path=tmp_path / "cut.parquet")


def test_binary_rubbish_named_csv_is_broken(tmp_path: Path) -> None:
    (tmp_path / "use.csv").write_bytes(b"lclid,ts,wh\n\xff\xfe\x00,1,2\n")

    with pytest.raises(FileBroken):
        read_intervals(path=tmp_path / "use.csv")


def test_an_empty_cell_is_a_gap_like_a_missing_row(tmp_path: Path) -> None:
    stamps = pa.array([0, HALF_HOUR_US, 2 * HALF_HOUR_US], pa.timestamp("us"))
    pq.write_table(pa.table({"lclid": ["a"] * 3, "ts": stamps, "wh": [1, None, 3]}), tmp_path / "use.parquet")

    home = read_intervals(path=tmp_path / "use.parquet")["a"]

    assert (list(home.wh), home.missing) == ([1, 0, 3], 1)


def test_a_row_without_a_stamp_is_refused(tmp_path: Path) -> None:
    stamps = pa.array([0, None], pa.timestamp("us"))
    pq.write_table(pa.table({"lclid": ["a", "a"], "ts": stamps, "wh": [1, 2]}), tmp_path / "use.parquet")

    with pytest.raises(UnreadableValue, match="without a home or a stamp"):
        read_intervals(path=tmp_path / "use.parquet")


def test_a_span_outside_the_data_is_refused() -> None:
    with pytest.raises(OutsideSpan, match="2014-01-01"):
        street_homes(count=1, start_us=at("2013-12-20"), end_us=at("2014-01-02"))
    with pytest.raises(OutsideSpan, match="up to 96"):
        street_homes(count=97, start_us=at("2013-03-01"), end_us=at("2013-03-02"))

"""Files made to break the reader: each is refused by name, quickly, within bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairwatt.intervals.contract import UnreadableValue
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

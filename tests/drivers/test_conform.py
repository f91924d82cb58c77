"""`conform`: other people's frames, both ways; and what is told when they do not fit."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fairwatt.cli.meter import app
from fairwatt.drivers.dlt645.conform import ARMOUR, FIELDS, ITEM, Report, conform
from fairwatt.drivers.dlt645.frame import Frame, close_frame
from fairwatt.server.errors import BadInput

KNOWN = Path(__file__).parents[1] / "data" / "dlt645_frames.json"
METER = "202611210001"


def entry(control: str, data: str, *, wake: int = 0, address: str = METER, **more: Any) -> dict[str, Any]:
    """What another author would write down of a frame."""
    plain = bytes.fromhex(data)
    frame = Frame(bytes.fromhex(address)[::-1], int(control, 16), plain)
    return {
        "name": f"{control} {data}",
        "hex": ("fe" * wake) + close_frame(frame=frame).hex(),
        "preamble": wake,
        "address": address,
        "control": control,
        "length": len(plain),
        "data_plain": data,
        "checksum_ok": True,
    } | more


GOOD = [
    entry("91", "00000100 99999999".replace(" ", ""), di="00010000", value=Decimal("999999.99"), unit="kWh"),
    entry("91", "0000010086010000", di="00010000", value=1860, unit="Wh"),
    entry("91", "000003020500 80".replace(" ", ""), di="02030000", value=Decimal("-0.0005"), unit="kW"),
    entry("91", "00000302000080", di="02030000", value=Decimal("-0.0"), unit="W"),
    entry("91", "00ff0102 0822 0922 1022".replace(" ", ""), di="0201FF00", value=[220.8, 220.9, "221.0"]),
    entry("91", "00ff01020822ffffffff", di="0201FF00", value=[Decimal("220.8"), None, None], unit="V"),
    entry("91", "00ff010001000000 02000000".replace(" ", ""), di="0001FF00", value=["0.01", "0.02"]),
    entry("91", "030500045000", di="04000503", value="0050"),
    entry("91", "0101000406211126", di="04000101", value="26112106"),
    entry("91", "01001103 000000221126 000030221126".replace(" ", ""), di="03110001"),
    entry("91", "0200800250 00".replace(" ", ""), di="02800002", value=Decimal("0.50"), unit="Hz"),
    entry("91", "01fe00fe0102", di="FE00FE01"),
    entry("b1", "00ff050601020304", di="0605FF00"),
    entry("92", "00ff0506 0102 01".replace(" ", ""), di="0605FF00", seq=1),
    entry("12", "00ff050602", seq=2),
    entry("d1", "02", error="02"),
    entry("d4", "04"),
    entry("08", "001000211126", address="999999999999", time="2026-11-21 00:10:00"),
    entry(
        "1c",
        "04000000785634123a00000000010127",
        wake=4,
        operator="12345678",
        order="3a",
        valid_until="270101000000",
    ),
    entry("9c", ""),
    entry("13", "", address="aaaaaaaaaaaa", wake=4),
    entry("93", "010021112620", meter_address="202611210001"),
    entry("15", "020021112620", address="aaaaaaaaaaaa"),
    entry("16", "99999999", address="999999999999"),
    entry("17", "20", speed="20"),
    entry("18", "020c0004 02563412 04000000".replace(" ", "")),
    entry("1b", "0256341201000000ffffffff"),
    entry("11", "00000100", wake=1),
    entry("11", "00000100", wake=3),
    entry("81", "10900000", edition="1997", di="9010"),
    entry("03", "ff0201070100000010270000050000000011223301000000000099887766"),
    entry("c3", "0200"),
]


def test_every_frame_of_the_known_file_passes_both_ways() -> None:
    entries = json.loads(KNOWN.read_text(encoding="utf-8"), parse_float=Decimal)
    assert conform(entries=entries) == Report(vectors=18, encoded_ok=18, decoded_ok=18, failed=())


@pytest.mark.parametrize("good", GOOD, ids=lambda one: one["name"])
def test_what_another_author_could_write_down_passes_both_ways(good: dict[str, Any]) -> None:
    report = conform(entries=[good])
    assert (report.encoded_ok, report.decoded_ok, report.failed) == (1, 1, ())


def test_a_frame_said_to_be_damaged_passes_when_it_is_damaged_so() -> None:
    bad = entry("11", "00000100")
    bad["hex"] = bad["hex"][:-4] + "0016"
    assert conform(entries=[bad | {"checksum_ok": False}]).failed == ()
    assert len(conform(entries=[bad]).failed) == 2
    assert len(conform(entries=[entry("11", "00000100", checksum_ok=False)]).failed) == 2


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (entry("91", "0000010086010000", di="00010000", value=Decimal("1.87")), "differ"),
        (entry("91", "0000010086010000", di="00010000", value=Decimal("1.86"), unit="kvarh"), "unit differs"),
        (entry("91", "0000010086010000", di="00020000"), "differ"),
        (entry("91", "01fe00fe0102", value=2.01), "not in the catalogue"),
        (entry("91", "00000302000080", value="much"), "is a number"),
        (entry("11", "00000100", preamble=2), "differ"),
        (entry("11", "00000100", address=METER) | {"address": "202611210002"}, "differ"),
        (entry("11", "00000100", length=5), "differ|length"),
        (entry("11", "00000100", seq=1), "has no sequence"),
        ({"name": "a note"}, "lacks hex"),
        ("a line", "is an object"),
    ],
)
def test_what_does_not_fit_fails_both_ways_and_says_why(wrong: Any, why: str) -> None:
    report = conform(entries=[wrong])
    assert (report.vectors, report.encoded_ok, report.decoded_ok) == (1, 0, 0)
    assert [one.direction for one in report.failed] == ["encode", "decode"]
    assert all(re.search(why, one.why) for one in report.failed), report.failed


def test_words_without_a_meaning_are_named_and_not_taken_for_compared() -> None:
    assert conform(entries=[entry("11", "00000100", colour="red")]).not_compared == ("colour",)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=8) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(good=st.sampled_from(GOOD), key=st.sampled_from(sorted(ARMOUR | ITEM | FIELDS.keys())), junk=JUNK)
def test_no_entry_however_written_ends_in_a_trace(good: dict[str, Any], key: str, junk: Any) -> None:
    report = conform(entries=[good | {key: junk}, junk])
    assert report.vectors == 2
    assert report.encoded_ok + report.decoded_ok + len(report.failed) == 4


def test_the_command_prints_the_figures_and_ends_in_zero() -> None:
    done = CliRunner().invoke(app, ["conform", "--protocol", "dlt645", str(KNOWN), "--json"])
    told = json.loads(done.output)
    assert done.exit_code == 0
    assert told == {"vectors": 18, "encoded_ok": 18, "decoded_ok": 18, "failed": [], "not_compared": []}


def test_the_command_shows_both_figures_of_what_failed(tmp_path: Path) -> None:
    wrong = entry("91", "0000010086010000", di="00010000") | {"value": 1.87, "unit": "kWh"}
    file = tmp_path / "frames.json"
    file.write_text(json.dumps([wrong]))
    done = CliRunner().invoke(app, ["conform", "-p", "dlt645", str(file)])
    assert done.exit_code == 1
    assert "expected 1.87 kWh" in done.output
    assert "got      1.86 kWh" in done.output


def test_a_recording_is_explained_with_its_damage_and_its_noise(tmp_path: Path) -> None:
    good, bad = entry("91", "0000010086010000", wake=2)["hex"], entry("11", "00000100")["hex"]
    file = tmp_path / "line.hex"
    file.write_text(f"00 11 {good}  # the first answer\n{bad[:-4]}00 16 {bad[:20]}")
    done = CliRunner().invoke(app, ["decode", "-p", "dlt645", str(file), "--json"])
    told = json.loads(done.output)
    assert [piece["kind"] for piece in told] == ["noise", "wake", "frame", "damaged", "torn"]
    assert told[2]["fields"][1] == {
        "name": "forward active energy total",
        "value": "1.86",
        "bytes": "86010000",
        "unit": "kWh",
    }
    assert "checksum is 00H" in told[3]["why"]
    assert done.exit_code == 1


def test_a_raw_recording_is_read_as_its_hexadecimal(tmp_path: Path) -> None:
    line = bytes.fromhex(entry("91", "0000010086010000", wake=4)["hex"])
    (raw := tmp_path / "line.bin").write_bytes(line)
    told = [
        CliRunner().invoke(app, ["decode", "-p", "dlt645", one, "--json"])
        for one in (str(raw), line.hex(":"))
    ]
    assert told[0].exit_code == told[1].exit_code == 0
    assert told[0].output == told[1].output


def test_what_is_no_recording_is_refused_in_words(tmp_path: Path) -> None:
    (file := tmp_path / "words.txt").write_text("hello meter")
    for one in (str(file), "68 6", "no such file"):
        done = CliRunner().invoke(app, ["decode", "-p", "dlt645", one])
        assert isinstance(done.exception, BadInput)
        assert "no bytes in hexadecimal" in str(done.exception)
    with pytest.raises(BadInput, match="take one of"):
        CliRunner().invoke(app, ["decode", "-p", "smoke", "68"], catch_exceptions=False)

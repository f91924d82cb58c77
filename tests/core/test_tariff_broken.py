"""Broken tariff files are refused with the line and the kind of every fault; the schema sees the same shapes."""

import json
from pathlib import Path
from time import process_time
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from fairwatt.cli.main import app
from fairwatt.cli.tariff import schema_text
from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.tariff_file import TariffFileError, read_tariff

HERE = Path(__file__).parent / "tariffs"
ROOT = Path(__file__).parents[2]
BROKEN = sorted((HERE / "broken").glob("*.yaml"))
SHIPPED = sorted((ROOT / "src" / "fairwatt" / "tariffs").glob("*.yaml"))
GOOD = sorted((ROOT / "docs" / "guides" / "tariffs").glob("*.yaml"))
STRANGE = sorted((HERE / "strange").glob("*.yaml"))
STREET = sorted((ROOT / "src" / "fairwatt" / "simulate" / "tariffs").glob("*.yaml"))
SHAPE = {"unknown_key", "missing_key", "not_hours", "not_a_number"}
"""What a schema can see; the rest is meaning."""


def expected(path: Path) -> list[tuple[int, str]]:
    said = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# expect: ")
    return [(int(line), code) for line, code in (part.split() for part in said.split("; "))]


def plain(text: str) -> Any:
    """YAML as an editor of today reads it: dates and `on` are words."""
    loaded = yaml.load(text, Loader=yaml.BaseLoader)  # BaseLoader makes nothing but text
    return _truths(loaded)


def _truths(value: Any) -> Any:
    match value:
        case dict():
            return {key: _truths(one) for key, one in value.items()}
        case list():
            return [_truths(one) for one in value]
        case "true" | "false":
            return value == "true"
        case _:
            return value


def schema() -> jsonschema.Draft202012Validator:
    document = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def test_there_are_at_least_twenty() -> None:
    assert len(BROKEN) >= 20


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_with_line_and_kind_of_every_fault(path: Path) -> None:
    with pytest.raises(TariffFileError) as refused:
        read_tariff(path.read_text(encoding="utf-8"))
    assert [(fault.line, fault.code) for fault in refused.value.all] == expected(path)
    assert all(fault.column >= 1 and len(fault.meaning) > 15 for fault in refused.value.all)

    said = CliRunner().invoke(app, ["tariff", "check", str(path), "--json"])
    assert said.exit_code == 2
    figures = json.loads(said.stdout)
    assert [(e["line"], e["code"]) for e in figures["errors"]] == expected(path)
    assert (figures["ok"], figures["examples"]) == (False, 0)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_the_guides_tariffs_hold_and_the_guide_names_them(path: Path) -> None:
    said = CliRunner().invoke(app, ["tariff", "check", str(path), "--json"])
    figures = json.loads(said.stdout)
    assert (said.exit_code, figures["ok"], figures["failed"], figures["errors"]) == (0, True, [], [])
    assert figures["passed"] == figures["examples"] >= 3
    assert f"tariffs/{path.name}" in (ROOT / "docs" / "guides" / "tariffs.md").read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["tariff", "show", str(path)]).exit_code == 0


@pytest.mark.parametrize("path", STRANGE, ids=lambda path: path.stem)
def test_a_tariff_written_from_the_guide_alone_comes_out_as_reckoned_by_hand(path: Path) -> None:
    said = CliRunner().invoke(app, ["tariff", "check", str(path), "--json"])
    figures = json.loads(said.stdout)
    assert (said.exit_code, figures["failed"], figures["errors"]) == (0, [], [])
    assert figures["passed"] == figures["examples"] >= 1
    assert "status: made_up" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*GOOD, *STREET, *SHIPPED, *STRANGE], ids=lambda path: path.stem)
def test_good_files_fit_the_schema(path: Path) -> None:
    schema().validate(plain(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_files_of_a_wrong_shape_do_not_fit_the_schema(path: Path) -> None:
    codes = {code for _, code in expected(path)}
    if codes & SHAPE:
        assert not schema().is_valid(plain(path.read_text(encoding="utf-8")))


def test_both_figures_of_a_wrong_example_are_told(tmp_path: Path) -> None:
    text = GOOD[0].read_text(encoding="utf-8").replace('total: "196.7804"', 'total: "196.79"')
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    said = CliRunner().invoke(app, ["tariff", "check", str(tmp_path / "wrong.yaml"), "--json"])
    figures = json.loads(said.stdout)
    assert (said.exit_code, figures["ok"]) == (1, False)
    (failed,) = figures["failed"]
    assert (failed["expected"], failed["computed"], failed["figure"]) == ("196.79", "196.78", "total")


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["tariff", "check", str(tmp_path / "none.yaml"), "--json"])
    assert said.exit_code == 2
    assert json.loads(said.stdout)["errors"][0]["code"] == "file_unreadable"


def test_a_folder_stands_for_the_files_in_it_and_a_broken_one_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    good = GOOD[0].read_text(encoding="utf-8")
    (tmp_path / "below" / "holds.yaml").write_text(good, encoding="utf-8")
    wrong = good.replace('total: "196.7804"', 'total: "196.79"')
    (tmp_path / "wrong.yaml").write_text(wrong, encoding="utf-8")
    (tmp_path / "prices.csv").write_text("no tariff", encoding="utf-8")

    said = CliRunner().invoke(app, ["tariff", "check", str(tmp_path), str(BROKEN[0]), "--json"])
    figures = json.loads(said.stdout)
    assert said.exit_code == 2
    assert [Path(one["file"]).name for one in figures["files"]] == [
        "holds.yaml",
        "wrong.yaml",
        BROKEN[0].name,
    ]
    assert [one["ok"] for one in figures["files"]] == [True, False, False]
    assert (figures["ok"], figures["examples"], figures["passed"]) == (False, 8, 7)
    assert [Path(one["file"]).name for one in figures["failed"]] == ["wrong.yaml"]
    assert {Path(one["file"]).name for one in figures["errors"]} == {BROKEN[0].name}
    assert CliRunner().invoke(app, ["tariff", "check", str(tmp_path)]).exit_code == 1
    (tmp_path / "empty").mkdir()
    said = CliRunner().invoke(app, ["tariff", "check", str(tmp_path / "empty"), "--json"])
    assert (said.exit_code, "no tariff file" in said.stdout) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "code", "line"),
    [
        ("brackets", "[" * 262_144, "too_deep", 1),
        ("braces", "{a: " * 60_000, "too_deep", 1),
        ("dashes", "- " * 100_000, "too_deep", 1),
        ("values", "a: [" + "1," * 131_000 + "]", "too_long", 1),
        ("text", "#" * 262_145, "too_long", 1),
        ("nul", 'a: 1\nname: "a\\0b"', "control_character", 2),
        ("bell", 'name: "\\a"', "control_character", 1),
        ("vertical tab", 'name: "a\\vb"', "control_character", 1),
        ("half a character", 'name: "\\ud800"', "control_character", 1),
        ("turned around", "name: 'a\u202eb'", "control_character", 1),
    ],
)
def test_what_costs_more_than_its_length_or_cannot_be_printed_is_refused(
    name: str, text: str, code: str, line: int
) -> None:
    with pytest.raises(TariffFileError) as refused:
        read_tariff(text)
    assert (refused.value.code, refused.value.line) == (code, line), name
    assert ";" in refused.value.meaning


def test_a_bracket_bomb_costs_no_more_than_a_look_at_its_beginning() -> None:
    begun = process_time()
    with pytest.raises(TariffFileError, match="inside each other"):
        read_tariff("[" * 262_144)
    assert process_time() - begun < 5  # it was 20 s for a thirteenth of that


def test_of_a_file_without_end_only_the_beginning_is_read() -> None:
    with pytest.raises(TariffFileError, match="longer than 262144"):
        load_tariff(Path("/dev/zero"))

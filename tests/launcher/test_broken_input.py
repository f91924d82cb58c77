"""Every command says how it is used and how it ends; a file that is none is one clear line and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairwatt.cli import main as command_line
from fairwatt.cli.files import writing
from fairwatt.server.errors import BadInput

ROOT = Path(__file__).parents[2]
TARIFF = str(sorted((ROOT / "docs" / "guides" / "tariffs").glob("*.yaml"))[0])
COMMANDS = (
    *(
        "",
        "tariff",
        "tariff check",
        "tariff show",
        "tariff schema",
        "rate",
        "explain",
        "import",
        "import readings",
    ),
    *(
        "allocation",
        "allocation verify",
        "units",
        "units measure",
        "units landlord",
        "units fee-rule",
        "report",
    ),
    *("sts", "sts encode", "sts decode", "sts keychange", "sts conform"),
    *("close-month", "opening-balance", "correct-reading", "correct-tariff", "backtest"),
)
TAKES_A_FILE = (
    ("tariff", "check", "{}"),
    ("tariff", "show", "{}"),
    ("rate", "--tariff", "{}", "--readings", "homes.csv"),
    ("rate", "--tariff", TARIFF, "--readings", "{}"),
    ("import", "readings", "{}"),
    ("allocation", "verify", "{}"),
    ("sts", "conform", "{}"),
    ("sts", "conform", str(ROOT / "tests" / "data" / "sts_vectors.json"), "--tables", "{}"),
    ("units", "measure", "{}", "--book", "1", "--from", "2026-11-01"),
    ("correct-tariff", "homes", "{}", "--book", "1", "--author", "ada", "--why", "wrong"),
    ("backtest", "--tariff", "{}", "--against", TARIFF, "--readings", "homes.csv"),
    ("backtest", "--tariff", TARIFF, "--against", TARIFF, "--readings", "{}"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_exit_codes(command: str) -> None:
    said = CliRunner().invoke(command_line.app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
    assert "Example" in said and "Exit code" in said, said


@pytest.mark.parametrize("broken", ["missing", "folder", "empty", "binary"])
@pytest.mark.parametrize("command", TAKES_A_FILE, ids=" ".join)
def test_what_is_no_file_of_its_kind_is_one_line_and_code_two(
    command: tuple[str, ...],
    broken: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "given"
    match broken:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "binary":
            path.write_bytes(bytes(range(256)) * 40)
    code, said = ended([part.format(path) for part in command], tmp_path, monkeypatch, capfd)
    lines = [line for line in said.splitlines() if not line.startswith("1 fault; nothing was computed")]
    assert (code, len(lines)) == (2, 1), said
    assert "given" in lines[0] or "tariff" in lines[0]


def ended(
    command: list[str], state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> tuple[object, str]:
    """Run a command line; return its exit code and what it complains of."""
    if command[0] == "backtest":  # it sets Django up, which a process does once
        env = {**os.environ, "FAIRWATT_STATE": str(state / "state")}
        line = [sys.executable, "-m", "fairwatt.cli", *command]
        done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr
    monkeypatch.setattr(sys, "argv", ["fairwatt", *command])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    return end.value.code, capfd.readouterr().err


# --- what commands write ----------------------------------------------------------------------------------------


def write(out: Path, content: bytes = b"new", *, force: bool = False) -> None:
    with writing(out, force=force) as file:
        file.write(content)


def test_a_file_that_is_there_stays_unless_it_is_forced(tmp_path: Path) -> None:
    out = tmp_path / "october.pdf"
    write(out, b"old")
    with pytest.raises(BadInput, match=r"there already\. Nothing was written; .*--force"):
        write(out)
    assert out.read_bytes() == b"old"
    write(out, force=True)
    assert out.read_bytes() == b"new" and list(tmp_path.iterdir()) == [out]


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    out = tmp_path / "october.pdf"
    write(out, b"old")
    with pytest.raises(ZeroDivisionError), writing(out, force=True) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert out.read_bytes() == b"old" and list(tmp_path.iterdir()) == [out]


def test_one_that_came_meanwhile_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "october.pdf"
    with pytest.raises(BadInput, match="there already"), writing(out, force=False) as file:
        file.write(b"mine")
        out.write_bytes(b"theirs")
    assert out.read_bytes() == b"theirs" and list(tmp_path.iterdir()) == [out]


def test_a_folder_and_a_place_without_leave_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        write(tmp_path, force=True)
    with pytest.raises(BadInput, match="cannot be made"):
        write(Path("/dev/null/x/y.pdf"))
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() != 0:
        with pytest.raises(BadInput, match="may not be written"):
            write(locked / "x.pdf")
    write(Path("/dev/null"))

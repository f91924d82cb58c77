"""Reports from the command line: the same files, and errors a person can mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reports.conftest import Lived

AUGUST = ("--from", "2013-08-01", "--to", "2013-08-31")


def run(*arguments: str) -> str:
    from fairwatt.cli.main import app

    done = CliRunner().invoke(app, ["report", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_names_every_report(lived: Lived) -> None:
    from fairwatt.reports.registry import REPORTS

    assert [one["name"] for one in json.loads(run("list", "--json"))] == list(REPORTS)


def test_a_file_is_written_and_its_digest_is_that_of_the_report(lived: Lived, tmp_path: Path) -> None:
    out = tmp_path / "august.xlsx"
    named = ("statement", "--book", str(lived.book), "--home", "0001", *AUGUST, "--format", "xlsx")
    said = json.loads(run(*named, "--out", str(out), "--json"))
    assert out.read_bytes().startswith(b"PK")
    again = json.loads(run(*named[:-1], "json", "--out", "-", "--as-of", f"batch:{said['as_of_batch']}"))
    assert again["digest"] == said["digest"]
    assert again["figures"] == said["figures"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("nothing", "--book", "{book}"), "There is no report"),
        (("liability", "--book", "nowhere"), "There is no book"),
        (("statement", "--book", "{book}", "--home", "9999"), "no home '9999'"),
        (("statement", "--book", "{book}"), "about one home"),
        (("liability", "--book", "{book}", "--home", "0001"), "whole book"),
        (("liability", "--book", "{book}", "--from", "2013-13-01"), "no day"),
        (("liability", "--book", "{book}", "--as-of", "soon"), "no instant"),
        (("liability", "--book", "{book}", "--as-of", "batch:999999"), "no batch"),
        (("liability", "--book", "{book}", *AUGUST, "--format", "doc"), "no form"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(lived: Lived, wrong: tuple[str, ...], said: str) -> None:
    from fairwatt.server.errors import OperatorError

    with pytest.raises(OperatorError, match=said):
        run(*(part.format(book=lived.book) for part in wrong))

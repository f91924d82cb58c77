"""Real homes under tariffs of many kinds: every micro-unit as an independent oracle reckons it."""

import ast
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fairwatt
from fairwatt.cli.main import app
from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.bill import bill
from fairwatt.core.spans import Span, from_datetime
from oracle.fraction_bill import Oracle
from oracle.samples import FOLDER, intervals, readings_of

HERE = Path(__file__).parent
SHIPPED = Path(fairwatt.__file__).parent / "tariffs"
CASES = [
    ("london_2013", HERE / "tariffs" / "london_year_blocks_by_time.yaml"),
    ("london_2013", HERE / "tariffs" / "london_standing_seasons.yaml"),
    ("london_2013", SHIPPED / "uk-lcl-2013.dtou.yaml"),
    ("sydney_2013", HERE / "tariffs" / "sydney_daily_allowance.yaml"),
    ("sydney_2013", HERE / "tariffs" / "sydney_whole_clock.yaml"),
    ("sceaux_2006_12", HERE / "tariffs" / "paris_prorated_blocks.yaml"),
]


@pytest.mark.parametrize(("sample", "tariff"), CASES, ids=lambda of: getattr(of, "stem", of))
def test_a_real_home_costs_what_the_oracle_reckons_to_the_micro_unit(sample: str, tariff: Path) -> None:
    rows = intervals(sample)
    expected = Oracle(tariff).bill(rows)
    wallet = tuple(expected.micro(kind) for kind in ("energy", "standing", "tax"))
    exact_micro = sum(expected.exact.values()) * 10**6
    made = bill(
        schedule=load_tariff(tariff).schedule,
        readings=[(from_datetime(at), wh) for at, wh in readings_of(rows)],
        span=Span(from_datetime(rows[0][0]), from_datetime(rows[-1][1])),
    )
    assert made.energy_wh == expected.used_wh
    assert (made.energy_micro, made.standing_micro, made.tax_micro) == wallet
    assert made.exact_micro == exact_micro

    # The same from the command, which goes the vectorised way.
    [home] = said_by_rate(tariff, FOLDER / f"{sample}.parquet")["meters"]
    assert home["energy_wh"] == expected.used_wh
    assert (home["energy_micro"], home["standing_micro"], home["tax_micro"]) == wallet
    assert (home["settled_micro"], home["total_micro"]) == (0, sum(wallet))
    assert Fraction(home["residue_micro"]) == exact_micro - sum(wallet)
    assert Fraction(home["exact"]) == exact_micro / 10**6


def said_by_rate(tariff: Path, readings: Path) -> dict[str, Any]:
    files = ["--tariff", str(tariff), "--readings", str(readings)]
    done = CliRunner().invoke(app, ["rate", *files, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_the_trial_home_paid_in_2013_what_was_published() -> None:
    exact = sum(Oracle(SHIPPED / "uk-lcl-2013.dtou.yaml").bill(intervals("london_2013")).exact.values())
    assert f"{float(exact):.6f}" == "234.304621"


@pytest.mark.parametrize("file", ["fraction_bill.py", "month_bill.py", "samples.py", "sam.py"])
def test_the_oracle_shares_no_line_with_the_product(file: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse((HERE / file).read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                imported |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                imported.add(module.partition(".")[0])
            case ast.Call(func=ast.Name(id=called)):
                assert called not in {"__import__", "eval", "exec"}
    assert "fairwatt" not in imported
    assert imported <= {
        *("bisect", "collections", "csv", "dataclasses", "datetime", "fractions", "math", "pathlib"),
        *("typing", "zoneinfo", "yaml", "pyarrow", "PySAM", "oracle"),
    }

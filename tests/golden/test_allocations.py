"""Worked allocations and fees, in a form a bookkeeper can read and sign: each must come out to the micro-unit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fairwatt.core.costs.apportion import Basis, Formula, Part, Participant, Payer, apportion
from fairwatt.core.costs.calendar import Calendar, Every, runs, split_by_days
from fairwatt.core.costs.formula import percent_bp
from fairwatt.core.costs.proof import proof_csv, proof_json, proof_of, read_proof, verify

FOLDER = Path(__file__).parent / "allocations"
COSTS = sorted(path for path in FOLDER.glob("*.toml") if not path.stem.startswith("fee_"))
FEES = sorted(FOLDER.glob("fee_*.toml"))


def load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def micro(amount: str) -> int:
    scaled = Decimal(amount) * 10**6
    assert scaled == int(scaled), amount
    return int(scaled)


def worked(case: dict[str, Any]) -> tuple[Formula, list[Participant], int]:
    parts = tuple(Part(Basis(part["by"]), percent_bp(part["percent"])) for part in case["formula"]["parts"])
    formula = Formula(
        case["title"],
        parts,
        prorata=case["formula"].get("prorata", True),
        vacant_pays=case["formula"].get("vacant", "landlord") == "landlord",
    )
    homes = [
        Participant(
            key=home["unit"],
            payer=Payer(home.get("payer", "resident")),
            days=home["days"],
            area_dm2=int(Decimal(home.get("area_m2", "0")) * 100),
            heads=home.get("heads", 0),
            own_wh=int(Decimal(home.get("own_kwh", "0")) * 1000),
        )
        for home in case["home"]
    ]
    return formula, homes, micro(case["total"])


def test_there_are_allocations_and_fees() -> None:
    assert len(COSTS) >= 5 and len(FEES) >= 2


@pytest.mark.parametrize("path", COSTS, ids=lambda path: path.stem)
def test_a_worked_allocation_comes_out_to_the_micro_unit(path: Path) -> None:
    case = load(path)
    formula, homes, total = worked(case)
    result = apportion(formula=formula, total_micro=total, participants=homes)
    expected = {home["unit"]: micro(home["share"]) for home in case["home"]}
    expected |= {unit: micro(share) for unit, share in case.get("besides", {}).items()}
    assert {share.key: share.amount_micro for share in result.shares} == expected
    assert sum(expected.values()) == total


@pytest.mark.parametrize("path", COSTS, ids=lambda path: path.stem)
def test_its_file_is_verified_by_the_command_without_a_database(path: Path, tmp_path: Path) -> None:
    formula, homes, total = worked(load(path))
    body = proof_of(
        title=load(path)["title"],
        currency="CNY",
        zone="Asia/Shanghai",
        first_day="2026-11-01",
        end_day="2026-12-01",
        days=30,
        source={"kind": "typed", "evidence": "invoice"},
        formula=formula,
        participants=homes,
        result=apportion(formula=formula, total_micro=total, participants=homes),
    )
    files = {"proof.json": proof_json(body), "proof.csv": proof_csv(body)}
    for name, text in files.items():
        verdict = verify(read_proof(text))
        assert not verdict.faults and verdict.shares == len(body["shares"]) >= len(homes)
        (tmp_path / name).write_text(text)
    if path != COSTS[0]:
        return  # starting the command takes a second; once is enough
    said = run("verify", str(tmp_path / "proof.csv"), "--json")
    assert said.returncode == 0 and json.loads(said.stdout)["right"]
    (tmp_path / "proof.csv").write_text(files["proof.csv"].replace("resident", "landlord", 1))
    said = run("verify", str(tmp_path / "proof.csv"))
    assert said.returncode == 1 and "wrong:" in said.stdout
    (tmp_path / "proof.csv").write_text("hello")
    said = run("verify", str(tmp_path / "proof.csv"))
    assert said.returncode == 2 and "Nothing was compared" in said.stderr and "Traceback" not in said.stderr


def run(*words: str) -> subprocess.CompletedProcess[str]:
    nowhere = {**os.environ, "FAIRWATT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "fairwatt.cli", "allocation", *words]
    return subprocess.run(command, env=nowhere, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", FEES, ids=lambda path: path.stem)
def test_a_worked_fee_comes_out_to_the_micro_unit(path: Path) -> None:
    case = load(path)
    calendar = Calendar(
        Every(case["every"]),
        day=case.get("day", 1),
        month=case.get("month", 1),
        advance=case.get("advance", False),
    )
    end = date.fromisoformat(case["until"]) if "until" in case else None
    listed = list(
        runs(
            calendar=calendar,
            first=date.fromisoformat(case["from"]),
            end=end,
            through=date.fromisoformat(case["through"]),
        )
    )
    assert len(listed) == len(case["run"])
    for run_, said in zip(listed, case["run"], strict=True):
        assert (run_.due.isoformat(), run_.days, run_.whole_days) == (
            said["due"],
            said["days"],
            said["of_days"],
        )
        parts = split_by_days(
            amount_micro=micro(case["amount"]), days=said["stays"], whole_days=run_.whole_days
        )
        assert parts == [micro(part) for part in said["owed"]]

"""`fairwatt backtest` over a real interval file, without a database: equal to two bills, and papers that say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypdf
import yaml

ROOT = Path(__file__).parents[2]
TARIFFS = ROOT / "src" / "fairwatt" / "tariffs"
DRAFT, NOW = TARIFFS / "uk-economy7.yaml", TARIFFS / "uk-lcl-2013.flat.yaml"
READINGS = ROOT / "tests" / "data" / "samples" / "london_2013.parquet"


def fairwatt(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FAIRWATT_STATE": str(tmp_path / "state")}
    command = [sys.executable, "-m", "fairwatt.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)


def test_both_sides_are_what_fairwatt_rate_says_and_the_paper_holds_them(tmp_path: Path) -> None:
    files = ("--readings", READINGS)
    done = fairwatt(tmp_path, "backtest", "--tariff", DRAFT, "--against", NOW, *files, "--json")
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    dated = yaml.safe_load(DRAFT.read_text())
    dated["versions"] = [{**dated["versions"][-1], "effective": "2000-01-01"}]
    dated.pop("examples", None)
    (tmp_path / "dated.yaml").write_text(yaml.safe_dump(dated, allow_unicode=True, sort_keys=False))
    for tariff, key in ((NOW, "old"), (tmp_path / "dated.yaml", "new")):
        rated = json.loads(fairwatt(tmp_path, "rate", "--tariff", tariff, *files, "--json").stdout)
        assert made["figures"][key] == sum(
            home[f"{part}_micro"] for home in rated["meters"] for part in ("energy", "standing", "tax")
        )
    assert made["figures"]["difference"] == made["figures"]["new"] - made["figures"]["old"]
    out = tmp_path / "draft.pdf"
    done = fairwatt(tmp_path, "backtest", "--tariff", DRAFT, "--against", NOW, *files, "--out", out)
    assert done.returncode == 0 and made["digest"] in done.stdout
    text = "".join(page.extract_text() for page in pypdf.PdfReader(out).pages).replace("\n", "")
    new = made["figures"]["new"]
    assert f"{new // 10**6}.{new % 10**6:06d}".rstrip("0") in text and made["digest"] in text
    said = fairwatt(tmp_path, "backtest", "--tariff", DRAFT, "--against", NOW, *files)
    assert said.returncode == 0 and "█" in said.stdout


def test_what_cannot_be_tried_is_named_and_ends_with_two(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(DRAFT.read_text().replace("elements:", "elementz:", 1))
    for words, said in (
        (("--tariff", DRAFT, "--against", NOW), "give --against and --readings, or --book"),
        (("--tariff", broken, "--against", NOW, "--readings", READINGS), "elementz"),
        (("--tariff", tmp_path / "none.yaml", "--against", NOW, "--readings", READINGS), "none.yaml"),
        (
            ("--tariff", DRAFT, "--against", NOW, "--readings", READINGS, "--out", tmp_path / "a.doc"),
            "--out ends",
        ),
    ):
        done = fairwatt(tmp_path, "backtest", *words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr

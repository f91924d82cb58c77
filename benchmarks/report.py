"""What a benchmark found: figures beside their targets, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number; with a target it is held or missed."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def held(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    def target(self) -> str:
        """The target as people write it."""
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)}"
        return "" if self.at_most is None else f"≤ {_number(self.at_most)}"


@dataclass(kw_only=True)
class Report:
    """One benchmark's figures and the settings that give them meaning."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self) -> Path:
        """Write benchmarks/results/<name>.json."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        figures = [{**asdict(figure), "held": figure.held} for figure in self.figures]
        whole = {
            "name": self.name,
            "title": self.title,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(),
            "settings": self.settings,
            "figures": figures,
        }
        path.write_text(json.dumps(whole, indent=2) + "\n")
        return path


def show(reports: list[Report], console: Console) -> None:
    """Print the table."""
    table = Table(title="Fairwatt benchmarks")
    for column in ("benchmark", "figure"):
        table.add_column(column)
    for column in ("value", "unit", "target", ""):
        table.add_column(column, justify="right" if column in ("value", "target") else "left")
    for report in reports:
        for n, figure in enumerate(report.figures):
            verdict = {True: "[green]held", False: "[red]missed", None: ""}[figure.held]
            first = report.name if n == 0 else ""
            table.add_row(first, figure.name, _number(figure.value), figure.unit, figure.target(), verdict)
        table.add_section()
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine() -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpus": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }

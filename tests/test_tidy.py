"""The rules of the house, as a test: sizes, rooms, clocks, and that what is written is true."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from support.said import codes, python_in, tree

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "fairwatt"
RUNBOOKS = ROOT / "docs" / "runbooks"

FILE_LINES_MAX = 400
LONG_FILES: dict[str, int] = {}
FUNCTION_LINES_MAX = 70
LONG_FUNCTIONS = {}
"""What was longer when the rule came. A figure here may only fall, and goes when its part is short enough."""

TIMELESS = ("core", "wire", "drivers", "store", "flows")
"""Rooms that are told the time and hold no dice."""
FORBIDDEN_MODULES = {"time", "random", "secrets"}
FORBIDDEN_CALLS = {
    *(
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "timezone.now",
        "timezone.localtime",
    ),
    *("uuid.uuid1", "uuid.uuid4", "os.urandom", "uuid1", "uuid4", "urandom"),
}
KNOWN_DICE = {("src/fairwatt/flows/start_top_up.py", "uuid.uuid4")}
"""A payment's reference must not be guessable; nothing is computed from it."""


# --- sizes --------------------------------------------------------------------------------------------------


def test_files_are_short_enough_to_be_read_in_one_sitting() -> None:
    sizes = {_name(path): len(path.read_text().splitlines()) for path in _python("src", "tests")}
    _ratchet(sizes, most=FILE_LINES_MAX, known=LONG_FILES)


def test_functions_fit_on_a_screen() -> None:
    sizes: dict[str, int] = {}
    for path in _python("src", "tests"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                key = f"{_name(path)}::{node.name}"
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes[key] = max(lines, sizes.get(key, 0))
    _ratchet(sizes, most=FUNCTION_LINES_MAX, known=LONG_FUNCTIONS)


def _ratchet(sizes: dict[str, int], *, most: int, known: dict[str, int]) -> None:
    grown = {name: size for name, size in sizes.items() if size > known.get(name, most)}
    assert not grown, f"too long (at most {most} lines, known ones may only shrink): {grown}"
    mended = [name for name in known if sizes.get(name, 0) <= most]
    assert not mended, f"short enough now, strike them from the list: {mended}"


# --- rooms --------------------------------------------------------------------------------------------------


def test_every_room_says_what_it_owns() -> None:
    rooms = [path.parent for path in SOURCE.glob("*/__init__.py")]
    stages = [path.parent for path in (SOURCE / "core").glob("*/__init__.py")]
    assert len(rooms) > 10
    assert len(stages) > 4
    silent = [_name(room) for room in [*rooms, *stages] if not _says(room / "README.md")]
    assert not silent, f"without a README.md: {silent}"


def test_nothing_below_the_faces_asks_for_the_time_or_throws_dice() -> None:
    found = {
        (_name(path), call) for room in TIMELESS for path in python_in(SOURCE / room) for call in _asks(path)
    }
    assert not found - KNOWN_DICE, f"take `now_us` or `entropy` as an argument instead: {found - KNOWN_DICE}"
    assert found >= KNOWN_DICE, "strike what is gone from KNOWN_DICE"


def test_money_energy_and_time_are_whole_numbers() -> None:
    """`amount_micro: float` would be a lie in the name; `Decimal` has no place beside them at all."""
    unit = re.compile(r"_(wh|micro|nano|minor|us|bp)$")
    broken = []
    for path in python_in(SOURCE):
        for node in ast.walk(tree(path)):
            match node:
                case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=said):
                    pass
                case ast.arg(arg=name, annotation=ast.expr() as said):
                    pass
                case _:
                    continue
            if unit.search(name) and re.search(r"\b(float|Decimal)\b", ast.unparse(said)):
                broken.append(f"{_name(path)}:{node.lineno} {name}")
    assert not broken


def test_the_models_and_the_migrations_say_the_same_without_a_database() -> None:
    nowhere = {"FAIRWATT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "FAIRWATT_DB_ROLE": "migrate"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "django", "makemigrations", "--check", "--dry-run", "store"],
        env={**os.environ, **nowhere, "DJANGO_SETTINGS_MODULE": "fairwatt.server.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- words --------------------------------------------------------------------------------------------------


def test_what_a_person_may_meet_has_a_runbook() -> None:
    documented = _documented()
    for family, said in codes().items():
        assert said, f"where did the {family} go?"
        assert not said - documented, f"{family} without an entry in docs/runbooks: {said - documented}"


def test_runbooks_describe_nothing_that_cannot_happen() -> None:
    alive = set().union(*codes().values())
    headed = {code for path in RUNBOOKS.glob("*.md") for code in _headed(path) if code != path.stem}
    assert not headed - alive, f"no part of the house says this any more: {headed - alive}"


def test_every_test_that_is_named_in_writing_exists() -> None:
    known = {path.name for path in _python("tests")}
    for path in _python("tests"):
        known |= {
            node.name
            for node in ast.walk(tree(path))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    missing = []
    for page in _pages():
        for name in re.findall(r"\btest_[a-z0-9_]+(?:\.py)?", page.read_text()):
            # A name cut short by an ellipsis ends in an underscore.
            whole = name in known or (name.endswith("_") and any(one.startswith(name) for one in known))
            if not whole and not (ROOT / "tests" / name).is_dir():
                missing.append(f"{_name(page)}: {name}")
    assert not missing, missing


def test_every_link_and_every_file_named_in_writing_leads_somewhere() -> None:
    broken = []
    for page in _pages():
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            place, _, anchor = target.partition("#")
            if "://" in place or place.startswith("mailto:"):
                continue
            there = (page.parent / place).resolve() if place else page
            if not there.exists() or (anchor and anchor not in _anchors(there)):
                broken.append(f"{_name(page)}: {target}")
        for named in re.findall(r"`((?:src/fairwatt|tests|docs|benchmarks)/[\w./-]+)`", text):
            if not (ROOT / named).exists():
                broken.append(f"{_name(page)}: {named}")
    assert not broken, broken


def test_choices_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 12


def test_a_promise_in_a_comment_names_its_issue() -> None:
    promise = re.compile("\\b(" + "|".join(("TO" + "DO", "FIX" + "ME")) + r")\b(?!\(#\d+\))")
    kept = [f"{_name(path)}: {found[0]}" for path in _texts() for found in promise.finditer(path.read_text())]
    assert not kept, kept


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """A path of somebody's home or workspace works nowhere else, and tells more than it should."""
    private = re.compile(r"""(?<![\w.}/])/(?:home/[a-z]+/[\w.]|Users/\w|root/|work(?:space)?s?/\w)""")
    found = []
    for path in _texts():
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if private.search(line):
                found.append(f"{_name(path)}:{number}")
    assert not found, found


# --- what is written ----------------------------------------------------------------------------------------


def _documented() -> set[str]:
    """Words in backticks that head a section or begin a row of a table."""
    found = {""}
    for path in RUNBOOKS.glob("*.md"):
        found |= _headed(path)
        for cell in re.findall(r"^\| *((?:`[^`|]+`[, ]*)+)\|", path.read_text(), re.M):
            found |= set(re.findall(r"`([^`]+)`", cell))
    return found


def _headed(path: Path) -> set[str]:
    lines = re.findall(r"^#{2,4} (.*)$", path.read_text(), re.M)
    return {code for line in lines for code in re.findall(r"`([a-z0-9_.]+)`", line)}


@cache
def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.M) if page.suffix == ".md" else []
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def _says(path: Path) -> bool:
    return path.is_file() and len(path.read_text()) > 300


def _asks(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name in FORBIDDEN_MODULES)
            case ast.ImportFrom(module=str(module)) if module in FORBIDDEN_MODULES:
                yield module
            case ast.Call(func=ast.Name() | ast.Attribute() as called) if _ends(called) in FORBIDDEN_CALLS:
                yield _ends(called)
            case _:
                continue


def _ends(called: ast.expr) -> str:
    return ".".join(ast.unparse(called).split(".")[-2:])


def _pages() -> list[Path]:
    return [path for path in _texts() if path.suffix == ".md"]


@cache
def _texts() -> list[Path]:
    """Every text of our own: sources, tests, pages, build files; not what was fetched or measured."""
    folders = ("src", "tests", "docs", "benchmarks", ".ci")
    kinds = {".py", ".md", ".sql", ".toml", ".yaml", ".html", ".css", ".js", ".json", ""}
    fetched = {"vendor", "node_modules", "results", "__pycache__"}
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    beside = [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "package.json"]
    return [
        path
        for path in [*inside, *beside]
        if path.is_file() and path.suffix in kinds and not fetched & set(path.parts)
    ]


def _python(*folders: str) -> Iterable[Path]:
    return (path for folder in folders for path in python_in(ROOT / folder))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()

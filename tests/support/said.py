"""Every word the house can say to a person: read from the sources, so that none is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "fairwatt"

EVENT_FAMILIES = {
    "warning.": ("low", "critical", "empty"),
    "supply.": ("cut", "restore", "withheld"),
    "gateway.": None,
}
"""Kinds that are put together from a prefix and a word; `gateway.` takes every code of the edge."""


@cache
def codes() -> dict[str, set[str]]:
    """Every word under which something is stored, refused or logged, by family."""
    posting = [tree(path) for path in python_in(SOURCE / "flows" / "posting")]
    frames = {"bad_frame", *_class_codes(SOURCE / "wire" / "errors.py")}
    receipts = {f"receipt_{code}" for code in frames - {"bad_frame", "bad_topic", "damaged"}}
    edge = _edge_codes()
    return {
        "quarantine codes": {code for parsed in posting for code in _set_aside(parsed)}
        | (frames - {"bad_frame", "bad_topic", "bad_signature", "unknown_key"})
        | receipts
        | {"out_of_range_register"},  # late.py puts it together from the code of core.metering
        "event kinds": {kind for parsed in posting for kind in _kinds(parsed, edge)},
        "alarms": {
            _word(line.value)
            for node in ast.walk(tree(SOURCE / "core" / "alarms" / "model.py"))
            if isinstance(node, ast.ClassDef) and node.name == "AlarmCode"
            for line in node.body
            if isinstance(line, ast.Assign)
        },
        "gateway events": {f"gateway.{code}" for code in edge},
        "payment refusals": {
            *_class_codes(*python_in(SOURCE / "payments"), SOURCE / "flows" / "receive_payment.py"),
            *_class_codes(SOURCE / "flows" / "posting" / "adjusting.py"),
            *(
                code
                for parsed in posting
                for said in ("_refuse", "refuse_fact")
                for code in _words_of(parsed, said)
            ),
        },
        "reasons for review": {code for parsed in posting for code in _words_of(parsed, "_suspense")},
        "driver errors": _class_codes(
            *python_in(SOURCE / "drivers"), SOURCE / "edge" / "bus.py", SOURCE / "edge" / "meters.py"
        ),
        "log lines": _logged(),
    }


def _set_aside(parsed: ast.AST) -> Iterator[str]:
    for node in ast.walk(parsed):
        match node:
            case ast.Call(func=ast.Name(id="QuarantineRow"), keywords=keywords):
                yield from (_word(k.value) for k in keywords if k.arg == "code")
            case ast.Call(
                func=ast.Name(id="refuse" | "quarantined" | "_unheard") | ast.Attribute(attr="quarantine"),
                args=args,
            ):
                yield from (_word(arg) for arg in args)
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from (_word(part) for part in ast.walk(value) if isinstance(part, ast.Constant))
            case ast.FunctionDef(name="_disbelief"):
                yield from (_word(r.value) for r in ast.walk(node) if isinstance(r, ast.Return) and r.value)
            case _:
                continue


def _kinds(parsed: ast.AST, edge: set[str]) -> Iterator[str]:
    for node in ast.walk(parsed):
        match node:
            case ast.Call(func=ast.Name(id="EventRow"), keywords=keywords):
                said = next(k.value for k in keywords if k.arg == "kind")
            case ast.Call(func=ast.Name(id="_event"), args=[said, *_]):
                pass
            case _:
                continue
        match said:
            case ast.Constant(value=str(kind)):
                yield kind
            case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), *_]):
                words = EVENT_FAMILIES[prefix]
                yield from (f"{prefix}{word}" for word in (sorted(edge) if words is None else words))
            case _:
                continue


def _edge_codes() -> set[str]:
    found = set()
    for path in python_in(SOURCE / "edge"):
        for node in ast.walk(tree(path)):
            match node:
                case ast.Call(
                    func=ast.Name(id="Event") | ast.Attribute(attr="_event" | "_note"), args=[first, *_]
                ):
                    found.add(_word(first))
                case ast.ClassDef(name="Deed", body=body):
                    found |= {_word(line.value) for line in body if isinstance(line, ast.Assign)}
                case _:
                    continue
    return found - {""}


def _words_of(parsed: ast.AST, function: str) -> Iterator[str]:
    for node in ast.walk(parsed):
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name == function:
                yield from filter(None, (_word(arg) for arg in args))
            case _:
                continue


def _class_codes(*paths: Path) -> set[str]:
    """`code = "..."` in the classes of some files, their bases excepted."""
    found = set()
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    match line:
                        case (
                            ast.Assign(targets=[ast.Name(id="code")], value=value)
                            | ast.AnnAssign(target=ast.Name(id="code"), value=ast.expr() as value)
                        ):
                            found.add(_word(value))
                        case _:
                            continue
    return found - {"", "bad_frame", "rejected", "driver"}


def _logged() -> set[str]:
    found = set()
    for room in ("edge", "headend"):
        for path in python_in(SOURCE / room):
            for node in ast.walk(tree(path)):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="log"), attr="warning" | "error" | "critical"),
                        args=[ast.Constant(value=str(word)), *_],
                    ):
                        found.add(word)
                    case _:
                        continue
    return found


def _word(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(word)) if re.fullmatch(r"[a-z0-9_]+", word):
            return word
        case _:
            return ""


def python_in(folder: Path) -> list[Path]:
    """The Python files below a folder, migrations left out."""
    return [path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file, read once."""
    return ast.parse(path.read_text())

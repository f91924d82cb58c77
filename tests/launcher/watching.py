"""Seeing what runs, from outside: through /proc, not through the code under test."""

import time
from collections.abc import Callable
from pathlib import Path


def processes_of(state: Path) -> list[str]:
    """Command lines of living processes that name this state folder or its database's home."""
    note = state / "postgres.home"
    marks = [str(state), *([note.read_text().strip()] if note.exists() else [])]
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(mark in command for mark in marks):
            found.append(f"{folder.name} {command}")
    return found


def owner_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def eventually(condition: Callable[[], bool], *, within_s: float = 10) -> bool:
    deadline_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True

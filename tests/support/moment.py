"""Several people who do the same at the same moment, each on a connection of his own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

WAIT_S = 30


def together[T](count: int, deed: Callable[[int], T]) -> list[T | Exception]:
    """Do a deed so many times at once, under the role of the test; what each answered or raised."""
    from django.db import connection

    start = threading.Barrier(count)
    answers: list[Any] = [None] * count

    def one(n: int) -> None:
        try:
            start.wait(WAIT_S)
            answers[n] = deed(n)
        except Exception as error:
            answers[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT_S)
        assert not thread.is_alive()
    return answers


@dataclass
class Held:
    """Somebody in the middle of a deed."""

    thread: threading.Thread
    go: threading.Event
    raised: list[Exception] = field(default_factory=list)

    def finish(self) -> None:
        """Let him go on, and wait until he is done."""
        self.go.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@contextmanager
def held_before(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, deed: Callable[[], Any]
) -> Iterator[Held]:
    """Begin a deed in another thread and hold it just before it calls `where.name`; others call that as ever.

    Enter under the role of the deed; what it raised is kept.
    """
    from django.db import connection

    real, reached, go = getattr(where, name), threading.Event(), threading.Event()
    held: Held

    def slowly(*args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is held.thread:
            reached.set()
            assert go.wait(WAIT_S)
        return real(*args, **kwargs)

    def run() -> None:
        try:
            deed()
        except Exception as error:
            held.raised.append(error)
        finally:
            reached.set()
            connection.close()

    held = Held(threading.Thread(target=run), go)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, slowly)
        held.thread.start()
        assert reached.wait(WAIT_S)
        try:
            yield held
        finally:
            held.finish()

"""Several questions to one meter, asked one after another and answered as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from .contract import NEXT, DriverError, Exchange, Step


class Several[ReplyT]:
    """An exchange made of exchanges, for any protocol.

    `join` gets their replies in order. A part whose error `may_lack` accepts (a meter that does not hold an
    item) counts as answered by None; every other error ends the whole exchange. A repeated request repeats
    only the part that was not answered.
    """

    __slots__ = ("_join", "_may_lack", "_parts", "_replies")

    def __init__(
        self,
        *,
        parts: Sequence[Exchange[Any]],
        join: Callable[[tuple[Any, ...]], ReplyT],
        may_lack: Callable[[DriverError], bool] = lambda _: False,
    ) -> None:
        if not parts:
            raise ValueError("Several needs at least one question.")
        self._parts = parts
        self._join = join
        self._may_lack = may_lack
        self._replies: list[Any] = []

    @property
    def reply_within_ms(self) -> int:
        """How long to wait for the part that is asked now."""
        return self._now.reply_within_ms

    def request(self) -> bytes:
        """Return the bytes of the part that is not answered yet. Raises what that part raises."""
        return self._now.request()

    def feed(self, data: bytes) -> ReplyT | Literal[Step.NEXT] | None:
        """Take bytes from the line; return NEXT between the parts and the whole reply after the last."""
        try:
            reply = self._now.feed(data)
        except DriverError as error:
            if not self._may_lack(error):
                raise
            self._replies.append(None)
        else:
            if reply is None or isinstance(reply, Step):
                return reply
            self._replies.append(reply)
        if len(self._replies) < len(self._parts):
            return NEXT
        return self._join(tuple(self._replies))

    @property
    def _now(self) -> Exchange[Any]:
        return self._parts[min(len(self._replies), len(self._parts) - 1)]

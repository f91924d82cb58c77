"""Commits that wait for no disk, for what may be forgotten in a crash: a word to another process, a question's turn.

The log stays in order: what is forgotten is the newest alone, and whatever is committed with a flush afterwards takes
it along. Never for money, nor for anything that was answered for.
"""

from typing import Final

UNFLUSHED: Final = "set_config('synchronous_commit', 'off', true)"
"""In a statement: the transaction it is in returns from its commit before the disk has it."""

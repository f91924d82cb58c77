"""Errors whose text is meant for the person at the terminal."""


class OperatorError(Exception):
    """Something the operator can mend; the text says what happened, what it means, and the next step."""

    exit_code = 1


class BadInput(OperatorError):
    """A file or an argument that cannot be used; nothing was changed."""

    exit_code = 2

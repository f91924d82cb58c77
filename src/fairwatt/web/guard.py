"""What the database says to a form: the same at the same moment is done once more, what no row can hold is refused.

Every flow is one transaction, so what an error came out of has written nothing; and done twice it is done once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from asgiref.sync import iscoroutinefunction
from django.db import DataError, IntegrityError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

log = structlog.get_logger(__name__)

TRIES: Final = 3
_OVERTAKEN: Final = frozenset({"40001", "40P01"})
"""What PostgreSQL says to one of two transactions that were in each other's way."""

type View = Callable[..., HttpResponseBase]


class WriteGuard:
    """The innermost middleware: it calls our own views, and hears what they could not write."""

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on; the views are called in `process_view`."""
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> HttpResponseBase | None:
        """Call a view of ours: once more where another browser was a blink faster."""
        if iscoroutinefunction(view) or not view.__module__.startswith("fairwatt."):
            return None
        try:
            return _called(request, view, args, kwargs)
        except DataError as error:
            log.warning("web.unwritable", path=request.path, code=getattr(error.__cause__, "sqlstate", ""))
            # A number that no row can have, a sign that no text can hold: nobody typed that into our pages.
            return _refused(request)


def _called(
    request: HttpRequest, view: View, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> HttpResponseBase:
    for _ in range(TRIES - 1):
        try:
            return view(request, *args, **kwargs)
        except (IntegrityError, OperationalError) as error:
            if connection.in_atomic_block or not _was_overtaken(error):
                raise
            for name in request.FILES:
                for file in request.FILES.getlist(name):
                    file.seek(0)
    return view(request, *args, **kwargs)


def _was_overtaken(error: Exception) -> bool:
    """Whether another transaction was the reason, so that the same may go well now."""
    if isinstance(error, IntegrityError):
        return getattr(error.__cause__, "sqlstate", "") == "23505"
    return getattr(error.__cause__, "sqlstate", "") in _OVERTAKEN


def _refused(request: HttpRequest) -> HttpResponse:
    return render(request, "400.html", status=400)

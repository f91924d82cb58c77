"""Who may do a thing at the desk: the one question every flow of the desk asks first."""

from __future__ import annotations

from fairwatt.core.refusal import Refusal
from fairwatt.store.models import Book, Meter, Role, User


class DeskRefused(Refusal):
    """A person at the desk asked for something that cannot be done; nothing was changed. `.code` names why."""

    code = "refused"


class NotAllowed(DeskRefused):
    """The person may look, but not do this."""

    code = "not_allowed"


class NotFound(DeskRefused):
    """There is no such thing in this book."""

    code = "not_found"


def acting(*, user_id: int, book: Book) -> User:
    """The person who does it: active staff of the book's organisation that may write. Raises NotAllowed."""
    user = User.objects.filter(pk=user_id, is_active=True, organisation_id=book.organisation_id).first()
    if user is None or user.role not in (Role.OPERATOR, Role.ADMIN):
        raise NotAllowed(
            "Only operators and administrators of this organisation may do this. Nothing was changed; ask one of them."
        )
    return user


def meter_of(*, book: Book, meter_id: int | None = None, number: str = "") -> Meter:
    """A meter of a book, by its id or the number on its plate. Raises NotFound."""
    known = Meter.objects.filter(gateway__site__book=book)
    found = known.filter(pk=meter_id) if meter_id is not None else known.none()
    if number.isascii() and number.isdecimal() and len(number) < 19:
        found = known.filter(number=int(number))
    one = found.first()
    if one is None:
        raise NotFound(
            "No meter %(meter)s is in book %(book)s. Nothing was changed; check the number.",
            meter=number or meter_id,
            book=book.slug,
        )
    return one

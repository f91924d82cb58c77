"""A person sets one interval right: a new version with a reason; what was there stays readable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from fairwatt.core.metering.vee.model import Status, Value
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.flows.desk import DeskRefused, NotFound, acting, meter_of
from fairwatt.store import facts, intervals
from fairwatt.store.models import Book, IntervalValue, Meter

REASON_MIN: Final = 5
REASON_MAX: Final = 400
EDITED: Final = "edited"


class EditRefused(DeskRefused):
    """The value cannot be set so; nothing was changed."""

    code = "edit_refused"


class ChangedMeanwhile(DeskRefused):
    """Somebody else made a newer version; nothing was changed."""

    code = "changed_meanwhile"


@dataclass(frozen=True, kw_only=True)
class Edited:
    """The version that stands now."""

    version: int
    wh: int


@transaction.atomic(durable=True)
def edit_interval(
    *,
    book_id: int,
    meter_id: int,
    at_us: int,
    seen_version: int,
    wh: int,
    reason: str,
    user_id: int,
    now_us: int,
) -> Edited:
    """Add a version of one interval's energy, by a person and for a reason. No balance moves: registers are charged.

    `seen_version` is the version the person looked at. Raises NotAllowed, NotFound, EditRefused, ChangedMeanwhile.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    reason = reason.strip()
    if not REASON_MIN <= len(reason) <= REASON_MAX:
        raise EditRefused(
            "Say why in %(least)s to %(most)s characters. Nothing was changed.",
            least=REASON_MIN,
            most=REASON_MAX,
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        intervals.lock_meter(cursor=cursor, meter=meter.pk)
        old = IntervalValue.objects.filter(meter=meter.pk, at_us=at_us).order_by("-version").first()
        if old is None:
            raise NotFound(
                "There is no value for this time, so none can be set right. Import the readings first."
            )
        if old.version != seen_version:
            raise ChangedMeanwhile(
                "Version %(version)s was made meanwhile (%(wh)s Wh). Nothing was changed; look again.",
                version=old.version,
                wh=old.wh,
            )
        _believable(wh=wh, minutes=old.minutes, meter=meter)
        intervals.add_versions(
            cursor=cursor,
            book=book.pk,
            meter=meter.pk,
            minutes=old.minutes,
            values=[(Value(at_us, wh, Status.EDITED, EDITED), old.version + 1)],
            import_id=None,
            author=person.pk,
            reason=reason,
            now_us=now_us,
        )
        intervals.note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.interval_edited",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            evidence={
                "at_us": at_us,
                "from_wh": old.wh,
                "to_wh": wh,
                "version": old.version + 1,
                "why": reason,
            },
        )
    return Edited(version=old.version + 1, wh=wh)


def _believable(*, wh: int, minutes: int, meter: Meter) -> None:
    """No connection carries more than its fuse lets through. Raises EditRefused."""
    limit_wh = meter.max_power_w * minutes * US_PER_MINUTE // 3_600_000_000 + meter.resolution_wh
    if not 0 <= wh <= limit_wh:
        raise EditRefused(
            "%(wh)s Wh is not between 0 and %(limit)s Wh, the most this connection can carry in %(minutes)s minutes. "
            "Nothing was changed; check the unit.",
            wh=wh,
            limit=limit_wh,
            minutes=minutes,
        )

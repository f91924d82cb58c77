"""Does anything need a person? The console's first sentence, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from fairwatt.web.console.queries import Today
from fairwatt.web.design import format as text


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing that waits for a person: what, and where to look (empty: here)."""

    text: str
    href: str = ""


def needs(*, today: Today) -> list[Need]:
    """Everything that waits for a person, the most urgent first."""
    found = []
    if today.offline:
        names = ", ".join(
            gettext("%(gateway)s (last heard %(ago)s)")
            % {
                "gateway": slug,
                "ago": text.ago(at_us=heard_us, now_us=today.now_us) if heard_us else gettext("never"),
            }
            for slug, heard_us in today.offline
        )
        found.append(
            Need(
                text=ngettext(
                    "A gateway is silent: %(names)s. Homes behind it keep their power by its own credit.",
                    "%(n)d gateways are silent: %(names)s. Homes behind them keep their power by their own credit.",
                    len(today.offline),
                )
                % {"n": len(today.offline), "names": names}
            )
        )
    if today.stuck:
        found.append(
            Need(
                text=ngettext(
                    "An order to a meter has waited for more than half an hour.",
                    "%(n)d orders to meters have waited for more than half an hour.",
                    today.stuck,
                )
                % {"n": today.stuck}
            )
        )
    if today.in_review:
        found.append(
            Need(
                text=ngettext(
                    "A payment does not match what was asked for. Nothing is credited until someone decides.",
                    "%(n)d payments do not match what was asked for. Nothing is credited until someone decides.",
                    today.in_review,
                )
                % {"n": today.in_review}
            )
        )
    if today.quarantined_today:
        found.append(
            Need(
                text=ngettext(
                    "One reading was set aside in the last day because it cannot be right.",
                    "%(n)d readings were set aside in the last day because they cannot be right.",
                    today.quarantined_today,
                )
                % {"n": today.quarantined_today},
                href=reverse("console:quarantine", args=[today.book.slug]),
            )
        )
    others = [square for square in today.dark if not square.by_credit]
    if others:
        found.append(
            Need(
                text=gettext("Without supply for another reason than credit: %(homes)s.")
                % {"homes": ", ".join(square.unit.label for square in others)}
            )
        )
    return found


def headline(*, waiting: list[Need]) -> str:
    """The sentence at the top."""
    if not waiting:
        return gettext("Nothing needs you right now")
    return ngettext("One thing needs you", "%(n)d things need you", len(waiting)) % {"n": len(waiting)}

"""Does anything need a person? The console's first sentence, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from fairwatt.web.console.queries import Today
from fairwatt.web.design import format as text
from fairwatt.web.reviews import Review

REVIEWS_NAMED: Final = 5


@dataclass(frozen=True, kw_only=True)
class Need:
    """One thing that waits for a person: what, and where to look (empty: here)."""

    text: str
    href: str = ""


def needs(*, today: Today) -> list[Need]:
    """Everything that waits for a person, the most urgent first."""
    found = _dangers(today)
    if today.offline:
        names = gettext(", ").join(
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
    if today.reviews:
        found.append(_payments_in_review(today.reviews, slug=today.book.slug))
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
    found += _for_the_desk(today)
    others = [square for square in today.dark if not square.by_credit and square.unit.label not in today.held]
    if others:
        found.append(
            Need(
                text=gettext("Without supply for another reason than credit: %(homes)s.")
                % {"homes": gettext(", ").join(square.unit.label for square in others)}
            )
        )
    return found


def _dangers(today: Today) -> list[Need]:
    """What is dangerous comes before everything else."""
    found = []
    if today.mass_cut or today.asking:
        found.append(
            Need(
                text=gettext(
                    "So many homes would go dark at once that an administrator must say it is meant."
                ),
                href=reverse("console:orders", args=[today.book.slug]),
            )
        )
    if today.held:
        found.append(
            Need(
                text=gettext("Switched off for safety until somebody has looked: %(homes)s.")
                % {"homes": gettext(", ").join(today.held)},
                href=reverse("console:alarms", args=[today.book.slug]),
            )
        )
    if today.alarms:
        found.append(
            Need(
                text=ngettext(
                    "A meter told an alarm that nobody has seen yet.",
                    "Meters told %(n)d alarms that nobody has seen yet.",
                    today.alarms,
                )
                % {"n": today.alarms},
                href=reverse("console:alarms", args=[today.book.slug]) + "?state=unseen",
            )
        )
    return found


def _for_the_desk(today: Today) -> list[Need]:
    """What waits for somebody's answer, with nobody in the dark over it."""
    found = []
    if today.calls:
        found.append(
            Need(
                text=ngettext(
                    "No message was shown to have reached a home whose credit ends. Please call.",
                    "No message was shown to have reached %(n)d homes whose credit ends. Please call.",
                    today.calls,
                )
                % {"n": today.calls},
                href=reverse("console:messages", args=[today.book.slug]),
            )
        )
    if today.objections:
        found.append(
            Need(
                text=ngettext(
                    "An objection to a shared cost waits for a decision; that share is held.",
                    "%(n)d objections to shared costs wait for a decision; those shares are held.",
                    today.objections,
                )
                % {"n": today.objections},
                href=reverse("console:costs", args=[today.book.slug]),
            )
        )
    if today.refunds:
        found.append(
            Need(
                text=ngettext(
                    "A refund waits for somebody: to agree, to pay it out, or to look why it stands still.",
                    "%(n)d refunds wait for somebody: to agree, to pay them out, or to look why they stand still.",
                    today.refunds,
                )
                % {"n": today.refunds},
                href=reverse("console:refunds", args=[today.book.slug]),
            )
        )
    return found


def _payments_in_review(reviews: tuple[Review, ...], *, slug: str) -> Need:
    """Which payments, and what can be done today: the gist of docs/runbooks/money.md."""
    listed = [
        gettext("%(home)s: asked for %(asked)s, received %(received)s")
        % {
            "home": review.home,
            "asked": text.money(micro=review.asked_micro, currency=review.asked_currency),
            "received": gettext("another amount")
            if review.received_micro is None
            else text.money(micro=review.received_micro, currency=review.received_currency),
        }
        for review in reviews[:REVIEWS_NAMED]
    ]
    if len(reviews) > REVIEWS_NAMED:
        listed.append("…")
    return Need(
        text=ngettext(
            "A payment does not match what was asked for (%(list)s). It is kept in suspense: no balance moved. "
            "Claim it for its home with a second person, or refund it in the provider's own back office.",
            "%(n)d payments do not match what was asked for (%(list)s). They are kept in suspense: no balance moved. "
            "Claim them for their homes with a second person, or refund them in the provider's own back office.",
            len(reviews),
        )
        % {"n": len(reviews), "list": gettext("; ").join(listed)},
        href=reverse("console:two_people", args=[slug]),
    )


def headline(*, waiting: list[Need]) -> str:
    """The sentence at the top."""
    if not waiting:
        return gettext("Nothing needs you right now")
    return ngettext("One thing needs you", "%(n)d things need you", len(waiting)) % {"n": len(waiting)}

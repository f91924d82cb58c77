"""Builders for tests of credit control: people of the desk, rules written and agreed to."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from support.street import DAY_US, NOON_US, Street


def person(street: Street, name: str, role: str = "admin") -> Any:
    """Somebody at the desk of the street's organisation."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = street.site.book.organisation
        return User.objects.create_user(
            f"{name}-{organisation.slug}", None, "x", organisation=organisation, role=role
        )


def rule(street: Street, author: Any, kind: str = "terms", *, now_us: int = NOON_US, **changes: Any) -> Any:
    """A rule written at the desk, as the web does it."""
    from fairwatt.flows.credit_rules import write_rule
    from fairwatt.store.credit_rules import NewRule

    role = changes.pop("role", "web")
    wishes: dict[str, Any] = {"from_us": now_us, "words": "because", **changes}
    if kind != "terms":
        wishes.setdefault("until_us", now_us + 5 * DAY_US)
    if kind == "protection":
        wishes.setdefault("details", {"reason": "medical"})
    if kind == "weather":
        wishes.setdefault("details", {"kind": "heat"})
        wishes.setdefault("source", "weather office")
    with as_role(role):
        return write_rule(new=NewRule(book=street.book, kind=kind, author=author.pk, **wishes), now_us=now_us)


def step(street: Street, author: Any, written: Any, what: str, *, now_us: int = NOON_US) -> Any:
    """An answer to a rule."""
    from fairwatt.flows.credit_rules import step_rule

    with as_role("web"):
        return step_rule(
            book_id=street.book,
            rule_id=written.rule,
            step=what,
            words="",
            user_id=author.pk,
            now_us=now_us,
        )


def document(*lines: str) -> str:
    """The text of a credit document."""
    return "\n".join(["fairwatt_credit: 1", *lines]) + "\n"

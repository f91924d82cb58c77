"""People say what homes are held to: previewed, with a reason, and by two where it protects a resident less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.owing import DebtError, DebtPlan
from fairwatt.core.credit.terms import loosened
from fairwatt.core.credit.terms_file import TermsFileError, parse_terms
from fairwatt.core.ids import credit_rule_key, debt_key
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.credit_terms import HeldTo
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.tonight import Tonight, held_now, look
from fairwatt.store import credit_rules, facts
from fairwatt.store.credit_rules import SHELTERING, NewRule, Rule
from fairwatt.store.credit_supply import standing_of_book
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import AccountEnd, Book, Role, Site, User, Wallet

KIND: Final = "credit_rule"
AMOUNT_MICRO_MAX: Final = 10**13
LONGEST_US: Final = {"weather": 30 * US_PER_DAY, "force_on": 30 * US_PER_DAY, "protection": 750 * US_PER_DAY}
REASONS: Final = ("medical", "infant", "elderly", "disability", "court", "other")
"""Why somebody may not be without power."""


class RuleRefused(DeskRefused):
    """A rule that cannot be written as asked; every home is held to what it was held to before."""

    code = "rule_refused"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rule would change: what it loosens, and who would be cut tonight without and with it."""

    loosens: tuple[str, ...]
    before: Tonight
    after: Tonight
    homes: int
    """how many homes with an account that is open are held to something else by it"""

    @property
    def newly_cut(self) -> list[Any]:
        """Homes that would be cut with it and not without it."""
        before = {home.standing.wallet for home in self.before.cut}
        return [home for home in self.after.cut if home.standing.wallet not in before]

    @property
    def moved(self) -> list[Any]:
        """Homes that would be cut either way, at another instant with it."""
        before = {home.standing.meter: home.outlook.at_us for home in self.before.cut}
        return [
            home
            for home in self.after.cut
            if home.outlook.at_us != before.get(home.standing.meter, home.outlook.at_us)
        ]

    @property
    def spared(self) -> list[Any]:
        """Homes that would be cut without it and not with it."""
        after = {home.standing.wallet for home in self.after.cut}
        return [home for home in self.before.cut if home.standing.wallet not in after]


def preview_rule(*, new: NewRule, now_us: int) -> Preview:
    """Work out what a rule would change, as if it held now; nothing is written. Raises RuleRefused."""
    book = Book.objects.get(pk=new.book)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _preview(cursor, book, new, now_us)


def preview_end(*, book_id: int, rule_id: int, now_us: int) -> Preview:
    """Work out what the end of a rule would change. Raises NotFound."""
    book = Book.objects.get(pk=book_id)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        _rule(cursor, book, rule_id)
        before = held_now(cursor=cursor, book=book, now_us=now_us)
        after = held_now(cursor=cursor, book=book, now_us=now_us, without=[rule_id])
        return _compared(cursor, book, before, after, now_us)


@transaction.atomic(durable=True)
def write_rule(*, new: NewRule, now_us: int) -> Rule:
    """Write a rule down. What protects residents less holds when a second person agreed. Raises DeskRefused."""
    book = Book.objects.get(pk=new.book)
    person = acting(user_id=new.author, book=book)
    if new.kind in ("terms", "weather") and person.role != Role.ADMIN:
        raise NotAllowed(
            "Only an administrator changes what many homes are held to. Nothing was changed; ask one of them."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        _check(new, book, now_us)
        loosens = _loosens(cursor, book, new, now_us)
        number = credit_rules.add_rule(cursor=cursor, new=replace(new, loosens=loosens), now_us=now_us)
        rule = _rule(cursor, book, number)
        evidence = {"rule": number, "kind": new.kind, "words": new.words, "loosens": list(loosens)}
        _note(cursor, "desk.credit_rule", rule, person, now_us, evidence)
        if not loosens:
            _tell(cursor, rule, credit_rule_key(rule=number), now_us)
    return rule


@transaction.atomic(durable=True)
def step_rule(*, book_id: int, rule_id: int, step: str, words: str, user_id: int, now_us: int) -> Rule:
    """`approve` a rule or `refuse` it, `ask_end` or `end` what holds. Raises DeskRefused."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        credit_rules.hold_rule(cursor=cursor, rule=rule_id)  # answers are given one after the other
        rule = _rule(cursor, book, rule_id)
        _check_step(rule, step, person, now_us)
        gone = AccountEnd.objects.filter(book=book.pk, wallet=rule.wallet or 0, settle="transfer")
        if gone.exists():
            raise RuleRefused(
                "Who this is for lives in another home now, and it went along: answer the one there. "
                "Nothing was changed."
            )
        number = credit_rules.add_step(
            cursor=cursor, rule=rule, step=step, author=person.pk, words=words.strip()[:400], now_us=now_us
        )
        evidence = {"rule": rule.rule, "kind": rule.kind, "step": step, "words": words.strip()[:400]}
        _note(cursor, "desk.credit_step", rule, person, now_us, evidence)
        if step in ("approve", "end"):
            _tell(cursor, rule, credit_rule_key(rule=rule.rule, step=number), now_us)
        return _rule(cursor, book, rule_id)


def _loosens(cursor: Any, book: Book, new: NewRule, now_us: int) -> tuple[str, ...]:
    if new.kind == "terms":
        return _preview(cursor, book, new, now_us).loosens
    return ("debt",) if new.kind == "debt" else ()


def _preview(cursor: Any, book: Book, new: NewRule, now_us: int) -> Preview:
    before = held_now(cursor=cursor, book=book, now_us=now_us)
    proposed = _as_rule(new, now_us)
    after = held_now(cursor=cursor, book=book, now_us=now_us, also=[proposed])
    for rule, error in after.broken.values():
        if rule.rule == proposed.rule:
            raise _unreadable(error)
    return _compared(cursor, book, before, after, now_us)


def _compared(cursor: Any, book: Book, before: HeldTo, after: HeldTo, now_us: int) -> Preview:
    found: dict[str, None] = {}
    seen: set[tuple[int, int]] = set()
    changed = 0
    open_now = {one.wallet for one in standing_of_book(cursor=cursor, book=book.pk)}
    for wallet, old in before.homes.items():
        new = after.homes.get(wallet, old)
        changed += new != old and wallet in open_now
        if (id(old), id(new)) not in seen:
            seen.add((id(old), id(new)))
            found |= dict.fromkeys(loosened(before=old, after=new))
    return Preview(
        loosens=tuple(found),
        before=look(cursor=cursor, book=book, held=before, now_us=now_us),
        after=look(cursor=cursor, book=book, held=after, now_us=now_us),
        homes=changed,
    )


def _as_rule(new: NewRule, now_us: int) -> Rule:
    """The rule as if it held now: a document of tomorrow is compared with the one of today."""
    from_us = new.from_us if new.kind in SHELTERING else min(new.from_us, now_us)
    return Rule(
        rule=1 << 62,
        book=new.book,
        site=new.site,
        wallet=new.wallet,
        kind=new.kind,
        basis=new.basis,
        from_us=from_us,
        until_us=new.until_us,
        body=new.body,
        details=new.details,
        words=new.words,
        source=new.source,
        loosens=[],
        author=new.author,
        by_web=False,
        created_us=now_us,
        approver=new.author,
        approved_us=now_us,
        refused=False,
        ender=None,
        end_asked_us=None,
        ended_us=None,
    )


def _check(new: NewRule, book: Book, now_us: int) -> None:
    if not new.words.strip() or len(new.words) > 400 or len(new.source) > 400:
        raise RuleRefused("Write why, in at most 400 letters. Nothing was changed.")
    if new.site is not None and not Site.objects.filter(pk=new.site, book=book).exists():
        raise NotFound("That building is not in this book. Nothing was changed; choose one of the list.")
    if new.wallet is not None and not Wallet.objects.filter(pk=new.wallet, book=book).exists():
        raise NotFound("That home is not in this book. Nothing was changed; choose one of the list.")
    if new.basis == "law" and not new.source.strip():
        raise RuleRefused("Name the law it is written in. Nothing was changed.")
    if new.kind in SHELTERING:
        _check_shelter(new, now_us)
    if new.kind == "debt":
        _check_debt(new)
    if new.kind == "debt_pause" and (new.wallet is None or new.until_us is None or new.until_us <= now_us):
        raise RuleRefused(
            "A debt of one home is paused until an instant that is still to come. Nothing was changed."
        )
    if new.kind == "terms":
        try:
            parse_terms(new.body)
        except TermsFileError as error:
            raise _unreadable(error) from error


def _check_shelter(new: NewRule, now_us: int) -> None:
    longest = LONGEST_US[new.kind]
    if new.until_us is None or not max(new.from_us, now_us) < new.until_us <= now_us + longest:
        raise RuleRefused(
            "It needs an end that is still to come, at most %(days)d days from now. Nothing was changed.",
            days=longest // US_PER_DAY,
        )
    if new.kind != "weather" and new.wallet is None:
        raise NotFound("That home is not in this book. Nothing was changed; choose one of the list.")
    if new.kind == "protection" and new.details.get("reason") not in REASONS:
        raise RuleRefused(
            "There is no such reason for a protection. Nothing was changed; choose one of the list."
        )
    if new.kind == "weather" and (new.details.get("kind") not in ("heat", "cold") or not new.source.strip()):
        raise RuleRefused("Say whether it is heat or cold, and who says so. Nothing was changed.")


def _check_debt(new: NewRule) -> None:
    amount = new.details.get("amount_micro")
    if new.wallet is None or type(amount) is not int or not 0 < amount <= AMOUNT_MICRO_MAX:
        raise RuleRefused("A debt names a home and an amount above zero. Nothing was changed.")
    if new.details.get("origin") not in ("balance", "brought"):
        raise RuleRefused(
            "Say whether the home owes this for energy here, or from an earlier system. Nothing changed."
        )
    try:
        DebtPlan(
            daily_micro=new.details.get("daily_micro", 0),
            weekly_micro=new.details.get("weekly_micro", 0),
            weekday=new.details.get("weekday", 0),
            share_bp=new.details.get("share_bp", 0),
            week_cap_micro=new.details.get("week_cap_micro"),
        )
    except (DebtError, TypeError) as error:
        raise RuleRefused(
            "Nothing can be recovered like this: a rate a day or a week, or a share of top-ups up to all of one. "
            "Nothing was changed."
        ) from error


def _unreadable(error: Exception) -> RuleRefused:
    return RuleRefused(
        "The document cannot be used: %(error)s. Every home is held to what it was held to before.",
        error=str(error)[:300],
    )


def _check_step(rule: Rule, step: str, person: User, now_us: int) -> None:
    over = rule.refused or (rule.end_us is not None and rule.end_us <= now_us)
    if over:
        raise RuleRefused("This rule is over already. Nothing was changed.")
    if step in ("approve", "refuse"):
        wanted = bool(rule.loosens) or rule.kind == "protection"
        if not wanted or rule.approver is not None:
            raise RuleRefused("Nobody is asked about this rule any more. Nothing was changed.")
        if person.role != Role.ADMIN or (step == "approve" and person.pk == rule.author):
            raise NotAllowed(
                "Another administrator than who wrote the rule must agree to it. Nothing was changed; ask one of them."
            )
    elif step == "ask_end":
        if rule.kind == "terms" or rule.ender is not None:
            raise RuleRefused(
                "A document is replaced by another one, and an end is asked for once. Nothing was changed."
            )
    elif step == "end":
        alone = rule.kind in SHELTERING and rule.ender in (None, person.pk)
        if rule.kind == "terms" or alone or person.role != Role.ADMIN:
            raise NotAllowed(
                "What shelters a home is ended by an administrator after somebody else asked for it. Nothing changed."
            )
    else:
        raise RuleRefused("There is no such answer. Nothing was changed; choose one of the list.")


def _rule(cursor: Any, book: Book, number: int) -> Rule:
    rule = credit_rules.rule_of_book(cursor=cursor, book=book.pk, rule=number)
    if rule is None:
        raise NotFound("There is no such rule in this book. Nothing was changed; look at the list.")
    return rule


def _note(cursor: Any, kind: str, rule: Rule, person: User, now_us: int, evidence: dict[str, Any]) -> None:
    note_deed(
        cursor=cursor,
        book=rule.book,
        kind=kind,
        author=person.pk,
        now_us=now_us,
        wallet=rule.wallet,
        reason=rule.kind,
        evidence=evidence,
    )


def _tell(cursor: Any, rule: Rule, key: str, now_us: int) -> None:
    """Let the poster begin a debt, or read the rules again and send the homes they are about fresh grants."""
    if rule.kind == "debt":
        facts.add(
            cursor=cursor,
            book=rule.book,
            kind="debt",
            natural_key=debt_key(rule=rule.rule),
            wallet=rule.wallet,
            payload={"rule": rule.rule},
            raw=b"",
            now_us=now_us,
        )
        return
    facts.add(
        cursor=cursor,
        book=rule.book,
        kind=KIND,
        natural_key=key,
        wallet=None,
        payload={"rule": rule.rule, "wallets": wallets_of(cursor, rule)},
        raw=b"",
        now_us=now_us,
    )


def wallets_of(cursor: Any, rule: Rule) -> Sequence[int]:
    """The wallets a rule is about."""
    found: Iterable[Any] = credit_rules.places(cursor=cursor, book=rule.book)
    return [
        place.wallet
        for place in found
        if rule.wallet in (None, place.wallet) and rule.site in (None, place.site)
    ]

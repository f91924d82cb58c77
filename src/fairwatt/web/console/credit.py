"""Credit control at the desk: who would be cut tonight and why, what homes are held to, changes seen before made."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.cells import harmless_cells
from fairwatt.core.refusal import Refusal
from fairwatt.flows.credit_rules import Preview, preview_rule, step_rule, write_rule
from fairwatt.flows.desk import DeskRefused, NotAllowed
from fairwatt.flows.tonight import rows_of, who_tonight
from fairwatt.store import credit_rules
from fairwatt.store.credit_rules import SHELTERING, Rule
from fairwatt.store.models import AccountEnd, Book, Role, Site, User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.credit_forms import EXAMPLE, RuleForm
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design import credit_words as words
from fairwatt.web.design.refusals import said

RULES_SHOWN = 60


@login_required
@require_GET
def credit(request: HttpRequest, slug: str) -> HttpResponse:
    """Who would be cut tonight and why, and what every home is held to."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _page(request, book)


@login_required
@require_GET
def credit_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The same list as a file."""
    book = access.desk_book(user=access.person(request), slug=slug)
    rows = rows_of(who_tonight(book=book, now_us=access.now_us()))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="tonight-{book.slug}.csv"'
    names = ["home", "meter", "would_be_cut", "reason", "rule", "at_us", "available_micro", "a_day_micro",
             "forecast_micro", "forecast_for_us"]  # fmt: skip
    sheet = csv.writer(response, lineterminator="\n")
    sheet.writerow(names)
    sheet.writerows(harmless_cells(row[name] for name in names) for row in rows)
    return private(response)


@login_required
@require_POST
def credit_rule(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Preview a rule, or write it down: parse, one flow, render."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    if kind not in RuleForm.FIELDS:
        raise Http404
    form = RuleForm(request.POST, book=book, kind=kind)
    preview: Preview | None = None
    if form.is_valid():
        now_us = access.now_us()
        new = form.new(author=user.pk, now_us=now_us)
        try:
            if request.POST.get("do") != "write":
                preview = preview_rule(new=new, now_us=now_us)
            else:
                rule = write_rule(new=new, now_us=now_us)
                waits = gettext("It is written down and waits for another administrator.")
                messages.success(request, waits if rule.loosens else gettext("It is written down and holds."))
                return redirect("console:credit", slug=book.slug)
        except NotAllowed as refused:
            return _page(request, book, form=form, error=said(refused), status=403)
        except DeskRefused as refused:
            form.add_error(None, said(refused))
    return _page(request, book, form=form, preview=preview, status=200 if preview else 422)


@login_required
@require_POST
def credit_step(request: HttpRequest, slug: str, rule_id: int) -> HttpResponse:
    """Agree to a rule, refuse it, or end it."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    try:
        step_rule(
            book_id=book.pk,
            rule_id=rule_id,
            step=request.POST.get("step", ""),
            words=request.POST.get("words", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except NotAllowed as refused:
        return _page(request, book, error=said(refused), status=403)
    except Refusal as refused:
        return _page(request, book, error=said(refused), status=422)
    return redirect("console:credit", slug=book.slug)


def _page(
    request: HttpRequest,
    book: Book,
    *,
    form: RuleForm | None = None,
    preview: Preview | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    user, now_us = access.person(request), access.now_us()
    tonight = who_tonight(book=book, now_us=now_us)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        rules = credit_rules.rules_of_book(cursor=cursor, book=book.pk)
        # What protects people went along with them: it is answered where they live now.
        moved = AccountEnd.objects.filter(book=book.pk, settle="transfer")
        gone = frozenset(moved.values_list("wallet", flat=True))
    until_us = max((home.outlook.until_us for home in tonight.homes), default=None)
    context = {
        **frame(book=book),
        "tonight": tonight,
        "until_us": until_us,
        "rules": _rows(book, rules, user, now_us, gone),
        "forms": _forms(book, form) if access.may_act(user=user) else [],
        "preview": preview,
        "previewed": form if preview else None,
        "loosens": [str(words.LOOSENED[name]) for name in preview.loosens] if preview else [],
        "error": error,
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/credit.html", context, status=status))


def _forms(book: Book, typed: RuleForm | None) -> list[dict[str, Any]]:
    made = []
    for kind in RuleForm.FIELDS:
        mine = typed is not None and typed.kind == kind
        fresh = RuleForm(book=book, kind=kind, initial={"body": EXAMPLE})
        made.append(
            {"kind": kind, "title": words.KINDS[kind], "form": typed if mine else fresh, "open": mine}
        )
    return made


def _rows(
    book: Book, rules: list[Rule], user: User, now_us: int, gone: frozenset[int]
) -> list[dict[str, Any]]:
    """The rules that hold, wait or are to come, then the newest of those that are over."""
    labels = dict(Wallet.objects.filter(book=book).values_list("pk", "unit__label"))
    sites = {site.pk: site for site in Site.objects.filter(book=book)}
    names = dict(User.objects.filter(organisation=book.organisation_id).values_list("pk", "username"))
    newest: dict[tuple[Any, ...], int] = {}
    for one in rules:
        if one.kind == "terms" and one.holds(at_us=now_us):
            newest[one.site, one.wallet, one.basis] = one.rule
    rows = []
    for one in reversed(rules):
        state = "over" if one.wallet in gone else _state(one, newest, now_us)
        rows.append(
            {
                "rule": one,
                "title": words.KINDS[one.kind],
                "home": labels.get(one.wallet or 0, ""),
                "site": sites.get(one.site or 0),
                "by": names.get(one.author, ""),
                "approver": names.get(one.approver or 0, ""),
                "state": state,
                "state_words": words.STATES[state],
                "about": _about(one),
                "loosens": [str(words.LOOSENED[name]) for name in one.loosens if name in words.LOOSENED],
                "asked": _asked(one, state, user),
            }
        )
    order = {"waiting": 0, "holds": 1, "coming": 2}
    rows.sort(key=lambda row: order.get(row["state"], 3))
    return rows[:RULES_SHOWN]


def _about(one: Rule) -> str:
    if one.kind == "protection":
        return str(words.PROTECTIONS.get(str(one.details.get("reason")), ""))
    if one.kind == "weather":
        return str(words.WEATHER.get(str(one.details.get("kind")), ""))
    return ""


def _state(one: Rule, newest: dict[tuple[Any, ...], int], now_us: int) -> str:
    if one.refused:
        return "refused"
    if one.end_us is not None and one.end_us <= now_us:
        return "over"
    if not one.agreed:
        return "waiting"
    if one.start_us > now_us:
        return "coming"
    if one.kind == "terms" and newest.get((one.site, one.wallet, one.basis)) != one.rule:
        return "replaced"
    return "holds"


def _asked(one: Rule, state: str, user: User) -> list[tuple[str, str]]:
    """The answers that this person may give to a rule now: (step, its words)."""
    steps = []
    standing, admin = state in ("holds", "coming"), user.role == Role.ADMIN
    if admin and (state == "waiting" or (one.kind == "protection" and standing and not one.approver)):
        steps += ["refuse"] if one.author == user.pk else ["approve", "refuse"]
    if one.kind in (*SHELTERING, "debt_pause") and standing:
        if one.ender is None:
            steps.append("ask_end")
        elif admin and (one.ender != user.pk or one.kind == "debt_pause"):
            steps.append("end")
    return [(step, str(words.STEPS[step])) for step in steps]

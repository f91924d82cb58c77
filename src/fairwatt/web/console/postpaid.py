"""Moving from postpaid at the desk: who pays after use, waves and how far they are, their notices."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import local_day_start
from fairwatt.flows.postpaid.homes import due_after, set_postpaid
from fairwatt.flows.postpaid.waves import (
    PACE_DAYS,
    START_DAYS,
    Changing,
    NewWave,
    labels_of,
    plan_from,
    preview_wave,
    state_of,
    step_wave,
    write_wave,
)
from fairwatt.reports.notice import Noticed, set_notices
from fairwatt.store import postpaid as store
from fairwatt.store.credit_rules import mean_days
from fairwatt.store.models import Book, Role, User, Wallet, WalletHead
from fairwatt.store.postpaid import Wave, WaveHome
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import number
from fairwatt.web.design import postpaid_words as words
from fairwatt.web.design.refusals import said
from fairwatt.web.exact import ExactField
from fairwatt.web.plain import PlainForm

BAR: Final = ("done", "grace", "due", "waiting", "unnoticed")


class SetForm(PlainForm):
    """Homes that pay after use."""

    homes = forms.CharField(
        label=_("Homes, one a line"), widget=forms.Textarea(attrs={"rows": 3}), max_length=20_000
    )
    due_day = forms.IntegerField(
        label=_("Day of the month by which they pay"), min_value=1, max_value=28, initial=15
    )
    words = forms.CharField(label=_("Why"), max_length=300)


class WaveForm(PlainForm):
    """Homes that pay first from a day on."""

    name = forms.CharField(label=_("Name of the wave"), max_length=60)
    homes = forms.CharField(
        label=_("Homes, one a line"), widget=forms.Textarea(attrs={"rows": 3}), max_length=20_000
    )
    day = forms.DateField(
        label=_("First day on which they pay first"), widget=forms.DateInput(attrs={"type": "date"})
    )
    notice_days = forms.IntegerField(label=_("Days of notice"), min_value=0, max_value=365, initial=30)
    grace_days = forms.IntegerField(
        label=_("Days without cuts afterwards"), min_value=1, max_value=90, initial=7
    )
    share = forms.IntegerField(
        label=_("Percent of each top-up that goes to a debt"), min_value=0, max_value=100, initial=20
    )
    daily = ExactField(label=_("What a day takes of a debt"), places=6, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "wave_%s", **kwargs})

    def wave(self, *, book: Book) -> NewWave:
        """What is asked for, once the form is valid. Raises PostpaidRefused."""
        typed = self.cleaned_data
        plan = plan_from(daily_micro=typed["daily"] or 0, share_bp=typed["share"] * 100, week_cap_micro=None)
        return NewWave(
            book_id=book.pk,
            name=typed["name"],
            day=typed["day"],
            homes=_lines(typed["homes"]),
            notice_days=typed["notice_days"],
            grace_days=typed["grace_days"],
            plan=plan,
        )


@login_required
@require_http_methods(["GET", "POST"])
def postpaid(request: HttpRequest, slug: str) -> HttpResponse:
    """How many homes pay after use, how far the waves are; POST adds homes, or looks at a wave and plans it."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    adding, planning, error, preview = SetForm(), WaveForm(), "", None
    if request.method == "POST":
        if not access.may_act(user=user):
            raise Http404
        do = request.POST.get("do", "")
        if do == "set":
            adding = SetForm(request.POST)
        else:
            planning = WaveForm(request.POST)
        try:
            if do == "set" and adding.is_valid():
                fresh = _set(book, adding, user)
                messages.success(
                    request, gettext("%(n)d homes pay after use from now on.") % {"n": len(fresh)}
                )
                return redirect("console:postpaid", slug=slug)
            if do != "set" and planning.is_valid():
                new = planning.wave(book=book)
                if do == "write":
                    made = write_wave(new=new, user_id=user.pk, now_us=access.now_us())
                    return redirect("console:wave", slug=slug, wave_id=made)
                preview = preview_wave(new=new, now_us=access.now_us())
        except Refusal as refused:
            error = said(refused)
    wrong = request.method == "POST" and preview is None
    context = {
        **frame(book=book),
        **_overview(book),
        "adding": adding,
        "planning": planning,
        "preview": [(one, words.WHY_NOT.get(one.why_not, "")) for one in preview or ()],
        "preview_total": _total(preview or []),
        "may_write": preview is not None and not any(one.why_not for one in preview),
        "error": error,
        "may_act": access.may_act(user=user),
        "is_admin": user.role == Role.ADMIN,
    }
    return private(render(request, "console/postpaid.html", context, status=422 if wrong else 200))


@login_required
@require_http_methods(["GET", "POST"])
def wave(request: HttpRequest, slug: str, wave_id: int) -> HttpResponse:
    """One wave, home by home; POST agrees to it, calls it off, or says what became of a home."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    one, homes = _wave(book, wave_id)
    error = ""
    if request.method == "POST":
        if not access.may_act(user=user):
            raise Http404
        try:
            step_wave(
                book_id=book.pk,
                wave_id=wave_id,
                step=request.POST.get("step", ""),
                user_id=user.pk,
                now_us=access.now_us(),
                wallets=[number(text) for text in request.POST.getlist("wallet")],
                day=_day(request.POST.get("day", "")),
                words=request.POST.get("words", ""),
            )
            return redirect("console:wave", slug=slug, wave_id=wave_id)
        except Refusal as refused:
            error = said(refused)
    rows = _rows(book, one, homes)
    names = dict(User.objects.filter(pk__in=[one.author, one.agreed or 0]).values_list("pk", "username"))
    context = {
        **frame(book=book),
        "wave": one,
        "by": names.get(one.author, ""),
        "agreed_by": names.get(one.agreed or 0, ""),
        "rows": rows,
        "bar": _bar(Counter(row["state"] for row in rows), len(rows)),
        "unnoticed": [row["home"].wallet for row in rows if row["state"] == "unnoticed"],
        "error": error,
        "may_act": access.may_act(user=user),
        "may_agree": user.role == Role.ADMIN and one.agreed is None and one.author != user.pk,
        "is_admin": user.role == Role.ADMIN,
    }
    return private(render(request, "console/wave.html", context, status=422 if error else 200))


@login_required
@require_GET
def wave_notices(request: HttpRequest, slug: str, wave_id: int) -> HttpResponse:
    """The notices of a wave as a PDF, a page a home that has not changed; or of one home."""
    book = access.desk_book(user=access.person(request), slug=slug)
    one, homes = _wave(book, wave_id)
    only = number(request.GET.get("wallet", ""))
    told = [
        Noticed(
            wallet=row["home"].wallet,
            place=f"{row['site']}, {row['label']}",
            due_us=row["home"].due_us,
            owed_micro=row["owed_micro"],
            advised_micro=row["advised_micro"],
        )
        for row in _rows(book, one, homes)
        if row["home"].switched_us is None and only in (0, row["home"].wallet)
    ]
    if not told:
        raise Http404
    content = set_notices(book=book, wave=one, homes=told, now_us=access.now_us())
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="notices-{one.wave}.pdf"'
    return private(response)


def _set(book: Book, form: SetForm, user: User) -> list[str]:
    typed = form.cleaned_data
    return set_postpaid(
        book_id=book.pk,
        homes=_lines(typed["homes"]),
        due_day=typed["due_day"],
        words=typed["words"],
        user_id=user.pk,
        now_us=access.now_us(),
    )


def _overview(book: Book) -> dict[str, Any]:
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        known = store.postpaid_of_book(cursor=cursor, book=book.pk)
        waves = store.waves_of_book(cursor=cursor, book=book.pk)
        bars = []
        for one in waves:
            homes = store.homes_of_wave(cursor=cursor, book=book.pk, wave=one.wave)
            states = Counter(state_of(home=home, wave=one, now_us=now_us) for home in homes)
            bars.append((one, _bar(states, len(homes))))
        balances = dict(WalletHead.objects.filter(book=book.pk).values_list("wallet", "balance_micro"))
    after = [one for one in known.values() if one.switched_us is None]
    labels = labels_of(book=book)
    rows = [
        (
            labels.get(one.wallet, ""),
            max(0, -int(balances.get(one.wallet, 0))),
            due_after(zone=book.zone, due_day=one.due_day, now_us=now_us),
            one.words,
        )
        for one in after
    ]
    return {
        "after": sorted(rows, key=lambda row: -row[1])[:200],
        "after_count": len(after),
        "owed_micro": sum(row[1] for row in rows),
        "changed": len(known) - len(after),
        "waves": bars,
    }


def _bar(states: Counter[str], homes: int) -> list[tuple[str, Any, int, int, int]]:
    """(state, its words, how many, where its part begins and how wide it is, in thousandths)."""
    made, start = [], 0
    for state in BAR:
        count = states.get(state, 0)
        width = 1000 * count // homes if homes else 0
        if count:
            made.append((state, words.STATES[state], count, start, width))
            start += width
    return made


def _total(preview: list[Changing]) -> dict[str, int]:
    return {
        "owed_micro": sum(one.owed_micro for one in preview),
        "debt_micro": sum(one.debt_micro for one in preview),
        "advised_micro": sum(one.advised_micro for one in preview),
    }


def _wave(book: Book, wave_id: int) -> tuple[Wave, list[WaveHome]]:
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        one = store.wave_of(cursor=cursor, book=book.pk, wave=wave_id)
        if one is None:
            raise Http404
        return one, store.homes_of_wave(cursor=cursor, book=book.pk, wave=wave_id)


def _rows(book: Book, one: Wave, homes: list[WaveHome]) -> list[dict[str, Any]]:
    now_us = access.now_us()
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    places = {
        wallet: (label, site)
        for wallet, label, site in Wallet.objects.filter(pk__in=[home.wallet for home in homes]).values_list(
            "pk", "unit__label", "unit__site__name"
        )
    }
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        balances = dict(WalletHead.objects.filter(book=book.pk).values_list("wallet", "balance_micro"))
        paces = mean_days(cursor=cursor, book=book.pk, before_us=today_us, days=PACE_DAYS)
    rows = []
    for home in homes:
        state = state_of(home=home, wave=one, now_us=now_us)
        label, site = places.get(home.wallet, ("", ""))
        rows.append(
            {
                "home": home,
                "label": label,
                "site": site,
                "state": state,
                "state_words": words.STATES[state],
                "owed_micro": home.owed_micro
                if home.owed_micro is not None
                else max(0, -int(balances.get(home.wallet, 0))),
                "advised_micro": paces.get(home.wallet, 0) * START_DAYS,
            }
        )
    return sorted(rows, key=lambda row: str(row["label"]))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()]


def _day(text: str) -> Any:
    try:
        return forms.DateField(required=False).clean(text)
    except forms.ValidationError:
        return None

"""Refunds at the desk: what waits for whom, how much may go back and why, who asked, who agreed, who paid it out."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.flows.ask_refund import RefundLook, answer_refund, ask_refund, look_at_refund, may_answer
from fairwatt.payments.amounts import text_from_minor
from fairwatt.store.models import (
    Book,
    Chargeback,
    Event,
    Paid,
    Refund,
    RefundAnswer,
    RefundWish,
    User,
    Wallet,
)
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import number
from fairwatt.web.design import format as text
from fairwatt.web.design import refund_words, words
from fairwatt.web.design.refusals import said
from fairwatt.web.exact import ExactField
from fairwatt.web.plain import PlainForm
from fairwatt.web.refunding import homes_of, micro_of, shown, stuck, unconfirmed

SHOWN: Final = 200
_OVER: Final = ("succeeded", "failed", "refused", "withdrawn")


class AskForm(PlainForm):
    """How much goes back, by which way, and why."""

    way = forms.ChoiceField(
        label=_("How it goes back"),
        choices=[("source", refund_words.WAYS["source"]), ("window", refund_words.WAYS["window"])],
    )
    reason = forms.CharField(max_length=300, label=_("Why"))

    def __init__(self, *, minor_digits: int, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        amount = ExactField(label=_("Amount"), places=minor_digits)
        self.fields = {"amount": amount, **self.fields}

    def clean_amount(self) -> int:
        """Minor units."""
        amount = int(self.cleaned_data["amount"] or 0)
        if amount <= 0:
            raise forms.ValidationError(gettext("The amount must be above zero."))
        return amount


@login_required
@require_GET
def refunds(request: HttpRequest, slug: str) -> HttpResponse:
    """All refunds of a book: what waits for a second person, for the window or for a provider, and what is over."""
    book = access.desk_book(user=access.person(request), slug=slug)
    with seeing(scope=scope_of_book(book=book)):
        paid_out = list(unconfirmed(book=book).order_by("-pk"))
        halted = stuck(book=book)
        waits = {one.pk for one in paid_out} | halted.keys()
        rows = list(Refund.objects.filter(book=book.pk).exclude(pk__in=waits).order_by("-pk")[:SHOWN])
        found = shown(book=book, rows=rows)
        confirms = shown(book=book, rows=paid_out)
        others = halted.keys() - {one.pk for one in paid_out}
        stands = shown(book=book, rows=Refund.objects.filter(pk__in=others).order_by("-pk"))
        wishes = _wishes(book)
        taken = list(Chargeback.objects.filter(book=book.pk).order_by("-pk")[:30])
        homes = homes_of(wallets=[one.wallet for one in taken])
    groups = [
        ("requested", _("Waits for a second person"), [one for one in found if one.state == "requested"]),
        ("stuck", _("Stands still; somebody has to look"), stands),
        ("confirm", _("Paid out; a second person confirms it"), confirms),
        (
            "window",
            _("To be paid out at the window"),
            [one for one in found if one.state in ("window", "abnormal")],
        ),
        ("moving", _("Under way"), [one for one in found if one.state in ("approved", "submitted")]),
        ("over", _("Done with"), [one for one in found if one.state in _OVER]),
    ]
    context = {
        **frame(book=book),
        "groups": groups,
        "any": any(rows for _key, _title, rows in groups),
        "wishes": wishes,
        "halted": halted,
        "taken": [
            (one, *homes.get(one.wallet, ("", 0)), micro_of(book=book, minor=one.amount_minor))
            for one in taken
        ],
        "may_act": access.may_act(user=access.person(request)),
    }
    return private(render(request, "console/refunds.html", context))


@login_required
@require_http_methods(["GET", "POST"])
def refund(request: HttpRequest, slug: str, refund_id: int) -> HttpResponse:
    """One refund: where it stands, how it got there, and what is to be answered."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    with seeing(scope=scope_of_book(book=book)):
        row = Refund.objects.filter(pk=refund_id, book=book.pk).first()
    if row is None:
        raise Http404
    error = ""
    if request.method == "POST":
        try:
            answer_refund(
                book=book,
                refund_id=row.pk,
                user_id=user.pk,
                answer=request.POST.get("answer", ""),
                words=request.POST.get("words", ""),
                now_us=access.now_us(),
            )
            return redirect("console:refund", slug=slug, refund_id=row.pk)
        except Refusal as refused:
            error = said(refused)
    return private(
        render(request, "console/refund.html", _page(book, user, row, error), status=422 if error else 200)
    )


@login_required
@require_http_methods(["GET", "POST"])
def new_refund(request: HttpRequest, slug: str, wallet_id: int) -> HttpResponse:
    """How much of a home's credit, or of one payment, may go back and why no more; POST asks for it."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    wallet = Wallet.objects.select_related("book", "unit__site").filter(pk=wallet_id, book=book).first()
    if wallet is None:
        raise Http404
    payment = number(request.GET.get("payment", "")) or None
    digits = book.minor_digits
    form = AskForm(minor_digits=digits, data=request.POST if request.method == "POST" else None)
    error, asked, way = "", None, ""
    if request.method == "POST" and form.is_valid():
        asked, way = form.cleaned_data["amount"], form.cleaned_data["way"]
        if request.POST.get("do") == "ask":
            try:
                made = ask_refund(
                    book=book,
                    wallet_id=wallet.pk,
                    user_id=user.pk,
                    amount_minor=asked,
                    way=way,
                    reason=form.cleaned_data["reason"],
                    payment=payment,
                    now_us=access.now_us(),
                )
                messages.success(
                    request, gettext("Asked for. An administrator who did not ask agrees to it.")
                )
                if len(made) > 1:
                    return redirect("console:refunds", slug=slug)
                return redirect("console:refund", slug=slug, refund_id=made[0])
            except Refusal as refused:
                error = said(refused)
    try:
        look = look_at_refund(
            wallet=wallet, now_us=access.now_us(), payment=payment, asked_minor=asked, way=way
        )
    except Refusal:
        raise Http404 from None
    if request.method == "GET":
        first = {"amount": text_from_minor(look.most_minor, digits=digits), "way": look.wish_way or "source"}
        form = AskForm(minor_digits=digits, initial=first)
    context = {
        **frame(book=book),
        **_looked(book, look),
        "wallet": wallet,
        "form": form,
        "error": error,
        "may_act": access.may_act(user=user),
        "payments": _payments(book, wallet),
        "payment": payment,
    }
    wrong = bool(error) or (request.method == "POST" and bool(form.errors))
    return private(render(request, "console/new_refund.html", context, status=422 if wrong else 200))


def _looked(book: Book, look: RefundLook) -> dict[str, Any]:
    parts = [
        (refund_words.WAYS[part.way], part.provider, micro_of(book=book, minor=part.amount_minor))
        for part in look.parts
    ]
    paid = look.payment
    return {
        "look": look,
        "paid_micro": micro_of(book=book, minor=paid.paid_minor) if paid else None,
        "gone_micro": micro_of(book=book, minor=paid.paid_minor - paid.left_minor) if paid else 0,
        "bound": refund_words.BOUNDS[look.bound],
        "parts": parts,
    }


def _page(book: Book, user: User, row: Refund, error: str) -> dict[str, Any]:
    with seeing(scope=scope_of_book(book=book)):
        answers = list(RefundAnswer.objects.filter(refund=row.pk).order_by("pk"))
        events = list(
            Event.objects.filter(
                book=book.pk, wallet=row.wallet, kind__startswith="refund.", evidence__refund=row.pk
            ).order_by("pk")
        )
        (shown_one,) = shown(book=book, rows=[row])
        halted = stuck(book=book).get(row.pk, "")
    names = dict(
        User.objects.filter(pk__in=[one.author for one in answers] + [row.author or 0]).values_list(
            "pk", "username"
        )
    )
    given = {one.answer: one.author for one in answers}
    offered = [
        (answer, refund_words.ANSWERS[answer])
        for answer in may_answer(row=row, user=user, given=given)
        # What waits for its poster is not answered again.
        if not ("confirm" in given or ("approve" in given and row.state == "requested"))
    ]
    story = [(row.asked_us, names.get(row.author or 0, ""), refund_words.ORIGINS[row.origin], row.reason)]
    story += [
        (one.at_us, names.get(one.author, ""), refund_words.ANSWERED[one.answer], one.words)
        for one in answers
    ]
    story += [(one.at_us, "", _told(one, shown_one.home, book.currency), "") for one in events]
    return {
        **frame(book=book),
        "shown": shown_one,
        "row": row,
        "asked_micro": micro_of(book=book, minor=row.asked_minor),
        "story": sorted(story, key=lambda step: step[0]),
        "offered": offered,
        "halted": halted,
        "state_words": shown_one.state_words,
        "next_words": shown_one.next_words,
        "error": error,
    }


def _told(event: Event, home: str, currency: str) -> str:
    """What happened to a refund, as a sentence."""
    amount = event.evidence.get("amount_micro")
    return words.event(
        kind=event.kind,
        reason_code=event.reason,
        home=home,
        gateway="",
        amount=text.money(micro=amount, currency=currency) if isinstance(amount, int) else "",
    )


def _wishes(book: Book) -> list[tuple[RefundWish, str, int]]:
    """What people who left are owed and nobody asked to pay out."""
    rows = list(RefundWish.objects.filter(book=book.pk).order_by("pk"))
    minor = micro_of(book=book, minor=1)
    gone: dict[int, int] = {}
    live = ("requested", "approved", "submitted", "abnormal", "succeeded")
    for one in Refund.objects.filter(book=book.pk, wish__isnull=False, state__in=live):
        amount = one.asked_minor if one.state == "requested" else one.amount_minor
        gone[one.wish or 0] = gone.get(one.wish or 0, 0) + amount * minor
    homes = homes_of(wallets=[row.wallet for row in rows])
    left = [(row, homes.get(row.wallet, ("", 0))[0], row.amount_micro - gone.get(row.pk, 0)) for row in rows]
    return [one for one in left if one[2] >= minor]


def _payments(book: Book, wallet: Wallet) -> list[tuple[Paid, int, int]]:
    with seeing(scope=scope_of_book(book=book)):
        rows = list(Paid.objects.filter(wallet=wallet.pk).order_by("-fact")[:12])
    return [
        (one, micro_of(book=book, minor=one.paid_minor), micro_of(book=book, minor=one.left_minor))
        for one in rows
    ]

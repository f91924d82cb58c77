"""The desk's page of merchant accounts: where residents' money goes, how the lines stand, what is offered."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.refusal import Refusal
from fairwatt.flows.merchant_desk import choose, propose
from fairwatt.flows.merchants import TOKEN_BYTES
from fairwatt.flows.unasked import stands
from fairwatt.payments.accounts import ABILITIES, SETTINGS, Secrecy
from fairwatt.store.models import (
    Book,
    CallbackCount,
    MerchantAccount,
    MerchantHealth,
    MerchantKey,
    MerchantOffer,
    Role,
)
from fairwatt.web import access
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design.refusals import said
from fairwatt.web.plain import PlainForm
from fairwatt.web.providers import seals

COUNTED_DAYS = 7


class KeysForm(PlainForm):
    """What an account of this provider needs; the page shows no secret again."""

    label = forms.CharField(max_length=60, label=_("Name of the account"))

    def __init__(self, *, provider: str, data: Any = None) -> None:
        super().__init__(data)
        self.provider = provider
        for one in SETTINGS[provider]:
            secret = one.secrecy is not Secrecy.PUBLIC
            widget: forms.Widget = (
                forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"})
                if one.long
                else forms.PasswordInput(attrs={"autocomplete": "off"})
                if secret
                else forms.TextInput(attrs={"autocomplete": "off"})
            )
            self.fields[one.name] = forms.CharField(
                max_length=8_000, required=one.required, label=one.name, widget=widget
            )
            if one.many:
                self.fields[f"{one.name}_name"] = forms.CharField(
                    max_length=80,
                    initial="alipay" if provider == "alipay" else "",
                    label=_("Name of this key"),
                )

    def settings(self) -> dict[str, Any]:
        """The same as the command line's file says it."""
        out: dict[str, Any] = {}
        for one in SETTINGS[self.provider]:
            value = self.cleaned_data.get(one.name)
            if value:
                out[one.name] = {self.cleaned_data[f"{one.name}_name"]: value} if one.many else value
        return out


@login_required
@require_GET
def merchants(request: HttpRequest, slug: str) -> HttpResponse:
    """Every account of the organisation; the form for one more, where a provider is chosen."""
    book = access.desk_book(user=access.person(request), slug=slug)
    provider = request.GET.get("provider", "")
    form = KeysForm(provider=provider) if provider in SETTINGS else None
    return private(render(request, "console/merchants.html", _page(request, book, form)))


@login_required
@require_POST
def propose_merchant(request: HttpRequest, slug: str, provider: str) -> HttpResponse:
    """Write keys down; they wait to be confirmed."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    if provider not in SETTINGS:
        raise Http404
    form = KeysForm(provider=provider, data=request.POST)
    if form.is_valid():
        try:
            key = propose(
                book=book,
                user_id=user.pk,
                account_id=None,
                provider=provider,
                label=form.cleaned_data["label"],
                settings=form.settings(),
                seals=seals(),
                token=secrets.token_hex(TOKEN_BYTES),
                now_us=access.now_us(),
            )
        except Refusal as refused:
            form.add_error(None, said(refused))
        else:
            messages.success(
                request, gettext("Written down. Keys %(key)s wait to be confirmed.") % {"key": key.pk}
            )
            return redirect("console:merchants", slug=slug)
    return private(render(request, "console/merchants.html", _page(request, book, form), status=422))


@login_required
@require_POST
def offer_merchant(request: HttpRequest, slug: str, account_id: int) -> HttpResponse:
    """Choose which ways to pay residents see."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    try:
        choose(
            book=book,
            user_id=user.pk,
            account_id=account_id,
            methods=request.POST.getlist("method"),
            now_us=access.now_us(),
        )
    except Refusal as refused:
        page = {**_page(request, book, None), "refused": said(refused)}
        return private(render(request, "console/merchants.html", page, status=422))
    messages.success(request, gettext("Residents see this from now on."))
    return redirect("console:merchants", slug=slug)


def _page(request: HttpRequest, book: Book, form: KeysForm | None) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM merchant_key_in_force")
        in_force = {int(key) for (key,) in cursor.fetchall()}
    accounts = MerchantAccount.objects.filter(organisation=book.organisation_id).order_by("pk")
    return {
        **frame(book=book),
        "rows": [_row(account, in_force) for account in accounts],
        "providers": list(SETTINGS),
        "form": form,
        "may_act": access.person(request).role == Role.ADMIN,
        "zone": book.zone,
        "now_us": access.now_us(),
    }


def _row(account: MerchantAccount, in_force: set[int]) -> dict[str, Any]:
    since = datetime.fromtimestamp(access.now_us() // 1_000_000, tz=UTC).date() - timedelta(days=COUNTED_DAYS)
    chosen = MerchantOffer.objects.filter(account=account).order_by("-pk").first()
    keys = list(MerchantKey.objects.filter(account=account).order_by("-pk"))
    refused = CallbackCount.objects.filter(account=account, day__gte=since)
    offered = [] if chosen is None else chosen.methods
    return {
        "account": account,
        "methods": [(one.value, one.value in offered) for one in sorted(ABILITIES[account.provider].methods)],
        "waiting": [key for key in keys if key.pk not in in_force],
        "ready": any(key.pk in in_force for key in keys),
        "health": MerchantHealth.objects.filter(account=account).first(),
        "listening": stands(account=account),
        "refused": refused.values("code").annotate(count=Sum("count")).order_by("-count"),
    }

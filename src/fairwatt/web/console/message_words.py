"""What messages say: every step in both languages, tried before it is kept."""

from __future__ import annotations

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.core.notices.icu import BadWording
from fairwatt.core.notices.model import Channel, Step
from fairwatt.core.notices.wording import (
    DEFAULTS,
    LANGUAGES,
    SAMPLE,
    WORDS,
    Said,
    Wording,
    check_wording,
    say,
)
from fairwatt.flows.desk import DeskRefused
from fairwatt.flows.notifying.desk import write_words
from fairwatt.flows.notifying.routing import wording_of
from fairwatt.store import contacts
from fairwatt.store.models import Book, Role
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import clerk, frame, private
from fairwatt.web.design import message_words
from fairwatt.web.design.refusals import said


@login_required
@require_GET
def all_words(request: HttpRequest, slug: str) -> HttpResponse:
    """Every message in both languages, filled in with an example, and how many short messages it becomes."""
    book = access.desk_book(user=access.person(request), slug=slug)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        own = contacts.own_wordings(cursor=cursor, organisation=book.organisation_id)
        shown = [
            (
                step,
                message_words.STEPS[step],
                [
                    (
                        language,
                        (step, language) in own,
                        _tried(_words(cursor, book, step, language), step, language),
                    )
                    for language in LANGUAGES
                ],
            )
            for step in Step
        ]
    return private(render(request, "console/message_words.html", {**frame(book=book), "shown": shown}))


@login_required
@require_http_methods(["GET", "POST"])
def words(request: HttpRequest, slug: str, step: str, language: str) -> HttpResponse:
    """One message in one language: tried with an example, and kept by an administrator."""
    book = access.desk_book(user=access.person(request), slug=slug)
    if step not in set(Step) or language not in LANGUAGES:
        raise Http404
    if request.method == "GET":
        with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
            wording = _words(cursor, book, Step(step), language)
        return _page(request, book, Step(step), language, wording)
    user, book = clerk(request, slug)
    given = (
        request.POST.get(name, "").replace("\r\n", "\n").strip() for name in ("subject", "body", "short")
    )
    wording = Wording(*(one[:2000] for one in given))
    try:
        check_wording(step=Step(step), wording=wording)
        if request.POST.get("do") != "keep":
            return _page(request, book, Step(step), language, wording)
        write_words(
            book_id=book.pk,
            step=step,
            language=language,
            wording=wording,
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except (BadWording, DeskRefused) as refused:
        return _page(request, book, Step(step), language, wording, error=said(refused), status=422)
    flash.success(request, gettext("Kept. It is said so from now on."))
    return redirect("console:message_words", slug=slug)


def _words(cursor: object, book: Book, step: Step, language: str) -> Wording:
    return wording_of(cursor=cursor, organisation=book.organisation_id, step=step, language=language)


def _tried(wording: Wording, step: Step, language: str) -> tuple[Said, Said]:
    """Filled in with the example: as a letter, and as a short message."""

    def by(channel: Channel) -> Said:
        return say(wording=wording, step=step, values=SAMPLE[language], language=language, channel=channel)

    return by(Channel.EMAIL), by(Channel.SMS)


def _page(
    request: HttpRequest,
    book: Book,
    step: Step,
    language: str,
    wording: Wording,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        **frame(book=book),
        "step": step,
        "title": message_words.STEPS[step],
        "language": language,
        "wording": wording,
        "known": sorted(WORDS[step]),
        "house": DEFAULTS[language][step],
        "tried": None if error else _tried(wording, step, language),
        "error": error,
        "may_keep": access.person(request).role == Role.ADMIN,
        "may_act": access.may_act(user=access.person(request)),
    }
    return private(render(request, "console/words_of_message.html", context, status=status))

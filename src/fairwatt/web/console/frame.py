"""What every page of the console knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

from fairwatt.core.spans import local_day_start
from fairwatt.store.models import Book, Site, User
from fairwatt.web import access


def frame(*, book: Book) -> dict[str, Any]:
    """Book, buildings, currency, zone and the present."""
    now_us = access.now_us()
    return {
        "book": book,
        "sites": list(Site.objects.filter(book=book).order_by("id")),
        "currency": book.currency,
        "zone": book.zone,
        "now_us": now_us,
        "today_us": local_day_start(zone=book.zone, at_us=now_us),
    }


def clerk(request: HttpRequest, slug: str) -> tuple[User, Book]:
    """Who asks, and the book he may write in; nobody else gets so far."""
    user = access.person(request)
    return user, access.clerk_book(user=user, slug=slug)


def private(response: HttpResponse) -> HttpResponse:
    """A page that no cache may keep."""
    patch_cache_control(response, private=True, no_store=True)
    return response

"""Forms whose words can be printed: on a page, in a report, in a workbook."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from fairwatt.core.cells import control_character
from fairwatt.core.spans import FIRST_DAY, LAST_DAY


class PlainForm(forms.Form):
    """A form that refuses control characters in every word typed into it, and days that no calendar of a book has.

    A box of many lines keeps its lines.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                many = isinstance(field.widget, forms.Textarea)
                field.validators.append(_printable_lines if many else _printable)
            elif isinstance(field, forms.DateField | forms.DateTimeField):
                field.validators.append(_known_day)


def _printable(text: str, *, lines: bool = False) -> None:
    found = control_character(text, lines=lines)
    if found:
        raise ValidationError(
            gettext(
                "The text holds a character that cannot be printed (%(code)s). Nothing was written; "
                "type the text instead of pasting it."
            )
            % {"code": f"U+{ord(found):04X}"}
        )


def _printable_lines(text: str) -> None:
    _printable(text, lines=True)


def _known_day(day: date | datetime) -> None:
    on = day.date() if isinstance(day, datetime) else day
    if not FIRST_DAY <= on <= LAST_DAY:
        raise ValidationError(
            gettext("The year %(year)d cannot be meant. Nothing was written; check the day.")
            % {"year": on.year}
        )

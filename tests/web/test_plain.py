"""What is typed into any form of the house can be printed."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from django import forms
from django.utils import translation

import fairwatt.web
from fairwatt.server.launcher.services import Services


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("text", ["a\x0bb", "a\tb", "a\x00b", "a\u202eb", "a\x85b"])
def test_a_control_character_is_refused_with_its_number(house: Services, text: str, language: str) -> None:
    from fairwatt.web.plain import PlainForm

    class Named(PlainForm):
        name = forms.CharField(required=False)
        words = forms.CharField(widget=forms.Textarea, required=False)

    with translation.override(language):
        form = Named({"name": text, "words": "first\r\n\tsecond"})
        assert set(form.errors) == {"name"}
        assert f"U+{ord(text[1]):04X}" in str(form.errors) or text[1] == "\x00"
    assert not Named({"name": "O’Neill & 电力", "words": "first\r\n\tsecond"}).errors


def test_no_form_of_the_house_takes_them(house: Services) -> None:
    from fairwatt.web.plain import PlainForm

    for found in pkgutil.walk_packages(fairwatt.web.__path__, "fairwatt.web."):
        if "form" in found.name or found.name.endswith(("disputing", "trying")):
            importlib.import_module(found.name)
    unguarded = [
        one
        for one in forms.Form.__subclasses__()
        if one.__module__.startswith("fairwatt.") and one is not PlainForm
    ]
    assert not unguarded

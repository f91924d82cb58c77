"""Both languages are whole, and nothing the house can say lacks words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from support.said import codes
from web.scene import Scene

SOURCE = Path(__file__).parents[2] / "src" / "fairwatt"
CATALOG = SOURCE / "web" / "locale" / "zh_Hans" / "LC_MESSAGES"
TOKENS = SOURCE / "web" / "static" / "css" / "tokens.css"


def test_every_message_has_its_chinese() -> None:
    text = re.sub(r'"\n"', "", (CATALOG / "django.po").read_text())
    entries = text.split("\n\n")[1:]
    assert len(entries) > 250
    for entry in entries:
        assert "#, fuzzy" not in entry, entry
        for said in re.findall(r'^msgstr(?:\[\d\])? "(.*)"$', entry, re.M):
            assert said, entry


def test_chinese_keeps_the_places_of_what_is_filled_in() -> None:
    text = re.sub(r'"\n"', "", (CATALOG / "django.po").read_text())
    for entry in text.split("\n\n")[1:]:
        asked = re.findall(r'^msgid(?:_plural)? "(.*)"$', entry, re.M)[-1]
        (said,) = re.findall(r'^msgstr(?:\[0\])? "(.*)"$', entry, re.M)
        places = r"%\(\w+\)[sd]|\{\w+\}"
        assert set(re.findall(places, asked)) == set(re.findall(places, said)), entry


def test_every_marked_text_is_in_the_catalog() -> None:
    """New texts in templates and code must reach the catalog: run makemessages and translate them."""
    known = set(re.findall(r'^msgid "(.*)"$', re.sub(r'"\n"', "", (CATALOG / "django.po").read_text()), re.M))
    marked = re.compile(r"""\{%\s*translate\s+(?:"([^"]+)"|'([^']+)')""")
    for template in (SOURCE / "web" / "templates").rglob("*.html"):
        for found in marked.findall(template.read_text()):
            assert (found[0] or found[1]) in known, (template.name, found)


def test_the_compiled_catalog_is_the_written_one(scene: Scene) -> None:
    from django.utils import translation

    written = re.sub(r'"\n"', "", (CATALOG / "django.po").read_text())
    with translation.override("zh-hans"):
        for entry in written.split("\n\n")[1:]:
            plain = re.search(r'^msgid "(.*)"\nmsgstr "(.*)"$', entry, re.M)
            if plain and "msgctxt" not in entry and "\\" not in entry:
                assert translation.gettext(plain[1]) == plain[2].replace('\\"', '"')


def test_every_event_the_house_stores_has_a_sentence(scene: Scene) -> None:
    from fairwatt.web.design.words import EVENTS

    told = {*EVENTS, *(kind.rpartition(".")[0] for kind in EVENTS)}
    stored = codes()["event kinds"] | codes()["gateway events"]
    assert stored, "where did the events go?"
    assert stored - told == set()


def test_every_reason_for_data_set_aside_has_a_meaning_and_a_step_and_none_is_dead(scene: Scene) -> None:
    from fairwatt.web.design.quarantine_words import QUARANTINE

    assert set(QUARANTINE) == codes()["quarantine codes"] - {""}


def refusing() -> set[str]:
    """Every class of the house whose words a person may meet in the browser, and what makes them."""
    from fairwatt.core.refusal import Refusal

    def below(kind: type) -> set[str]:
        return {kind.__name__} | {name for one in kind.__subclasses__() for name in below(one)}

    return below(Refusal) | {"_named", "Sentence"}


def test_every_refusal_that_a_person_meets_has_its_chinese(scene: Scene) -> None:
    """A refusal is raised with a plain sentence, its places filled in apart: otherwise no catalog could know it."""
    from django.utils import translation

    import fairwatt.core.tokens.meter_state
    import fairwatt.reports.backtest_book
    import fairwatt.server.urls  # every face and what it calls
    import fairwatt.vending.issue
    import fairwatt.vending.software  # noqa: F401

    names, sentences = refusing(), []
    assert {
        "FeeRefused",
        "CannotAsk",
        "FiguresDisagree",
        "ApportionError",
        "NotComparable",
        "EditRefused",
    } <= names
    for room in ("core", "flows", "reports", "vending", "web"):
        for path in (SOURCE / room).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in names and call.args:
                    match call.args[0]:
                        case ast.Constant(value=str(words)):
                            sentences.append(words)
                        case said:
                            # Handed on: from the catalog already, or a sentence collected where it was written.
                            assert not isinstance(said, ast.JoinedStr), (path.name, call.lineno)
    assert len(sentences) > 90
    with translation.override("zh-hans"):
        assert [words for words in sentences if translation.gettext(words) == words] == []


def test_a_refusal_within_a_refusal_is_said_in_one_language(scene: Scene) -> None:
    from django.utils import translation

    from fairwatt.core.costs.apportion import ApportionError, Basis, Formula, Part
    from fairwatt.flows.shared_costs import SharedCostRefused
    from fairwatt.web.design.refusals import said

    with pytest.raises(ApportionError) as inner:
        Formula(name="half", parts=(Part(Basis.AREA, 5_000),))
    outer = SharedCostRefused(
        "It cannot be shared as it stands: %(why)s. Nobody is charged.", why=inner.value
    )
    assert "50 %" in str(outer) and "formula" in str(outer)
    with translation.override("zh-hans"):
        assert "50 %" in said(outer) and "formula" not in said(outer)


def test_every_fault_of_a_tariff_file_and_of_a_correction_has_words(scene: Scene) -> None:
    from fairwatt.web.design.tariff_words import CORRECTION_REFUSALS, FAULTS

    rating = "".join(path.read_text() for path in (SOURCE / "core" / "rating").glob("tariff_*.py"))
    written = set(re.findall(r'\bcode(?:, meaning)? ?= ?"([a-z_]+)"', rating))
    assert len(written) > 20 and written <= set(FAULTS)
    correcting = (SOURCE / "flows" / "posting" / "correcting.py").read_text()
    assert set(re.findall(r'CannotCorrect\(\s*"([a-z_]+)"', correcting)) == set(CORRECTION_REFUSALS)


def test_every_decision_reason_has_words(scene: Scene) -> None:
    from fairwatt.core.credit.decide import Reason
    from fairwatt.web.design.words import REASONS

    assert {str(reason) for reason in Reason} <= set(REASONS)


# --- colours ---------------------------------------------------------------------------------------------------

TEXT_PAIRS = [
    ("ink", "paper"),
    ("ink", "card"),
    ("ink-2", "paper"),
    ("ink-2", "card"),
    ("volt", "card"),
    ("volt", "paper"),
    ("volt", "volt-2"),
    ("on-volt", "volt"),
    ("sun-ink", "sun-2"),
    ("ink", "sun-2"),
    ("ember", "ember-2"),
    ("ink", "ember-2"),
    ("ink-2", "ember-2"),
    ("cut", "card"),
    ("on-cut", "cut"),
    ("ink", "cut-2"),
    ("ink-2", "cut-2"),
]
MARK_PAIRS = [
    ("mark", "card"),
    ("field", "card"),
    ("field", "paper"),
    ("volt", "card"),
    ("ember", "card"),
    ("cut", "card"),
]


def themes() -> dict[str, dict[str, str]]:
    css = TOKENS.read_text()
    blocks = re.findall(r"(@media [^{]+\{\s*)?:root \{([^}]*)\}", css)
    names = ["light", "dark", "contrast", "contrast-dark"]
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body)) for _, body in blocks]
    light, dark, contrast, contrast_dark = found
    merged = [light, {**light, **dark}, {**light, **contrast}, {**light, **dark, **contrast_dark}]
    return dict(zip(names, merged, strict=True))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark", "contrast", "contrast-dark"])
def test_text_reaches_four_and_a_half_and_marks_three_to_one(theme: str) -> None:
    tokens = themes()[theme]
    for text, ground in TEXT_PAIRS:
        assert contrast(tokens[text], tokens[ground]) >= 4.5, (theme, text, ground)
    for mark, ground in MARK_PAIRS:
        assert contrast(tokens[mark], tokens[ground]) >= 3, (theme, mark, ground)

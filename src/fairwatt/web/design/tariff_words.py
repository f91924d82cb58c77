"""What can be wrong with a tariff file, and why a correction of a tariff was not posted, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = Mapping[str, str | Promise]

FAULTS: Final[Words] = {
    "contradiction": _("Two statements of the file do not go together; change one of them."),
    "doubled_key": _("A word is written twice; keep one."),
    "doubled_name": _("A name is used twice; give one of them another."),
    "empty": _("The file is empty."),
    "format": _("This version of the format is not read here."),
    "missing_key": _("Something that must be there is missing."),
    "no_file": _("A file that is named here cannot be read."),
    "no_version": _("No version of the tariff is in force there."),
    "not_a_clock": _("This is no offset of a clock."),
    "not_a_date": _("This is no date, or dates do not stand in order."),
    "not_a_list": _("A list belongs here."),
    "not_a_number": _("This is not a plain decimal number."),
    "not_hours": _("These are no hours of a day."),
    "not_keys": _("Words with values (key: value) belong here."),
    "not_plain": _("A plain value belongs here."),
    "not_yaml": _("This is not YAML; look for a missing quote, bracket, colon or blank."),
    "out_of_range": _("The number is outside what is possible here."),
    "too_fine": _("The number has more decimals than can be charged."),
    "too_long": _("The file is too long; put a long series into a file of its own."),
    "too_deep": _("There are too many brackets inside each other."),
    "alias": _("Aliases (*name) are not read; write it out."),
    "control_character": _("A character cannot be printed on a bill; leave it out."),
    "unknown_key": _("This word is not known here."),
    "unknown_word": _("This is none of the words that are known here."),
    "unknown_zone": _("There is no such time zone."),
    "gap": _("Some instants have no price."),
    "overlap": _("Some instants have two prices."),
    "wrong": _("This cannot be right."),
}

CORRECTION_REFUSALS: Final[Words] = {
    "unpriceable": _("A period could not be priced by the corrected tariff."),
    "bad_correction": _("The confirmation does not name the correction and who confirms it."),
    "unknown_correction": _("There is no such correction in this book."),
    "corrected_before": _("This correction was posted already."),
    "one_pair_of_eyes": _("Who placed a correction cannot confirm it as well."),
    "overtaken": _("The tariff was published anew meanwhile; the correction has to be placed again."),
    "not_authorised": _("Only an administrator of the organisation confirms a correction."),
}

"""One sentence for every line of the ledger: the resident, the desk and the auditor read the same words.

Everything in it is exact: a price times an energy is shown to the last decimal it has, never rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import Explained, Midnight, Share
from fairwatt.core.spans import local_date
from fairwatt.core.units import NANO_PER_MICRO, UNIT_WORDS, Unit
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.flows.explaining.windows import ELEMENT
from fairwatt.flows.posting.backdating import ENDED_BEFORE
from fairwatt.flows.posting.truing import CHANGE_WAS_READ, ESTIMATE_GAVE_WAY
from fairwatt.web.design import cash_sentences, credit_sentences, move_words, pay_words, refund_words, words
from fairwatt.web.design import format as text
from fairwatt.web.design.clock_words import of_the_clock

NAMES: Final[dict[str, str | Promise]] = {
    "reading": _("Charge for use"),
    "topup": _("Top-up"),
    "correction": _("Correction of an earlier charge"),
    "late": _("Reading that came late"),
    "fee": _("Fee"),
    "shared": _("Share of common costs"),
    "adjustment": _("Adjustment"),
    "true_up": _("Settlement of a period"),
    "reversal": _("Reversal"),
    "moved": _("Credit that goes with its person"),
    **credit_sentences.NAMES,
    **cash_sentences.NAMES,
    **refund_words.NAMES,
    "entry": _("Entry"),
}
_BLOCKS: Final[dict[str, tuple[str | Promise, str | Promise]]] = {
    "year": (
        _("block %(n)d of the year (%(used)s of %(bound)s)"),
        _("block %(n)d of the year (%(used)s so far)"),
    ),
    "month": (
        _("block %(n)d of the month (%(used)s of %(bound)s)"),
        _("block %(n)d of the month (%(used)s so far)"),
    ),
    "day": (
        _("block %(n)d of the day (%(used)s of %(bound)s)"),
        _("block %(n)d of the day (%(used)s so far)"),
    ),
    "": (_("block %(n)d (%(used)s of %(bound)s)"), _("block %(n)d (%(used)s so far)")),
}


def name(*, account: LineAccount) -> str:
    """What kind of line it is, in two or three words."""
    if account.line.kind == Kind.READING and unit_of(account) == "m3":
        return pgettext("a volume", "Charge for use")
    return str(NAMES.get(account.what, NAMES["entry"]))


def sentence(*, account: LineAccount) -> str:
    """Why this line is what it is."""
    said = _SENTENCES.get(account.line.kind, _by_fact)(account)
    return said if account.agrees else f"{said} {disagreement(account=account)}"


def disagreement(*, account: LineAccount) -> str:
    """What does not work out again; empty when everything does."""
    if account.agrees:
        return ""
    found = "; ".join(
        gettext("%(name)s is stored as %(stored)d and works out as %(now)d")
        % {"name": difference.name, "stored": difference.stored, "now": difference.recomputed}
        for difference in account.differences
    )
    return gettext(
        "THIS LINE DOES NOT WORK OUT AGAIN: %(found)s. The balance was not changed by looking; hand the id "
        "of the line to the people who run this installation."
    ) % {"found": found}


def _reading(account: LineAccount) -> str:
    interval = account.interval
    if interval is None:
        return _by_fact(account)
    start, end = when(interval.before.at_us, account.line.ts_us, account.zone)
    told = (
        pgettext("a volume", "%(kwh)s from %(start)s to %(end)s")
        if unit_of(account) == "m3"
        else gettext("%(kwh)s from %(start)s to %(end)s")
    )
    opening = told % {
        "kwh": used(interval.energy_wh, account),
        "start": start,
        "end": end,
    }
    at = [share for share in interval.shares if share.energy_wh]
    if len(at) == 1:
        opening += pgettext("between parts of a sentence", ", ") + priced(at[0], account)
    elif at:
        parts = (
            gettext("%(kwh)s in %(price)s")
            % {"kwh": used(share.energy_wh, account), "price": priced(share, account)}
            for share in at
        )
        opening += pgettext("before a list", ": ") + _joined(parts)
    more = [*_standing(interval.midnights, account), *_tax(interval, account)]
    return (
        _joined([opening, *more])
        + _closing(interval, account)
        + _through_transformers(interval, account)
        + _estimated(account)
        + of_the_clock(account)
    )


def _through_transformers(interval: Explained, account: LineAccount) -> str:
    """How the register became what was used, where current transformers stand in front of the meter."""
    meter = account.meter
    if meter is None or meter.transformer == (1, 1):
        return ""
    rose_wh = (account.line.register_wh - interval.before.register_wh) % meter.modulus_wh
    return " " + gettext(
        "The meter measures through current transformers of %(primary)d:%(secondary)d: its register rose by "
        "%(metered)s, and that times %(primary)d / %(secondary)d is what was used."
    ) % {
        "metered": register(rose_wh, account),
        "primary": meter.transformer[0],
        "secondary": meter.transformer[1],
    }


def _estimated(account: LineAccount) -> str:
    if account.ended == "stated":
        return f" {move_words.STATED}"
    if account.ended:
        return f" {move_words.EXPECTED}"
    if account.estimate is None:
        return ""
    return " " + gettext(
        "Nobody read the meter: it was silent, and this use was estimated. %(person)s approved it; the next total "
        "of the meter settles it."
    ) % {"person": account.estimate.approved_by}


def priced(share: Share, account: LineAccount) -> str:
    """One price: block and count, period, price per kWh (or m³), and what it comes to."""
    currency = account.currency
    block = ""
    if share.blocks > 1:
        known = _BLOCKS.get(share.counter, _BLOCKS[""])
        reached = {"n": share.block, "used": used(share.counter_after_wh, account)}
        if share.block_to_wh is None:
            block = str(known[1]) % reached
        else:
            block = str(known[0]) % {**reached, "bound": used(share.block_to_wh, account)}
        block += pgettext("between parts of a sentence", ", ")
    price = gettext("%(price)s/%(unit)s = %(amount)s") % {
        "unit": UNIT_WORDS[unit_of(account)],
        "price": text.money_exact(micro=share.price_micro, currency=currency),
        "amount": text.exact(nano=share.nano, currency=currency),
    }
    period = "" if share.period == "all" else words.period(share.period) + " "
    return f"{block}{period}{price}"


def _standing(midnights: Iterable[Midnight], account: LineAccount) -> list[str]:
    return [
        gettext("standing charge %(amount)s for %(day)s")
        % {
            "amount": text.money_exact(micro=midnight.micro, currency=account.currency),
            "day": text.short_day(at_us=midnight.at_us, zone=account.zone),
        }
        for midnight in midnights
    ]


def _tax(interval: Explained, account: LineAccount) -> list[str]:
    if not interval.charge.tax_micro:
        return []
    rates = {share.tax_bp for share in interval.shares if share.energy_wh}
    rates |= {midnight.tax_bp for midnight in interval.midnights}
    amount = text.money_exact(micro=interval.charge.tax_micro, currency=account.currency)
    if len(rates) != 1:
        return [gettext("tax %(amount)s") % {"amount": amount}]
    whole, part = divmod(rates.pop(), 100)
    rate = f"{whole}.{part:02d}".rstrip("0") if part else f"{whole}"
    return [gettext("%(rate)s%% tax %(amount)s") % {"rate": rate, "amount": amount}]


def _closing(interval: Explained, account: LineAccount) -> str:
    charged = text.money_exact(micro=-account.line.amount_micro, currency=account.currency)
    carries = (interval.before.carry_nano, interval.before.carry_tax)
    if any(carries) or interval.after.carry_nano or interval.after.carry_tax:
        return gettext(". Charged %(amount)s; what is below a millionth is carried to the next reading.") % {
            "amount": charged
        }
    return gettext(". Charged %(amount)s.") % {"amount": charged}


def _topup(account: LineAccount) -> str:
    provider = account.facts.get("provider")
    paid = gettext("%(amount)s paid in") % {
        "amount": text.money_exact(micro=account.line.amount_micro, currency=account.currency)
    }
    if isinstance(provider, str):
        paid = gettext("%(amount)s paid in through %(provider)s, reference %(reference)s") % {
            "amount": text.money_exact(micro=account.line.amount_micro, currency=account.currency),
            "provider": pay_words.provider(provider),
            "reference": account.facts.get("provider_ref", ""),
        }
    return paid + gettext(", credited on %(day)s at %(time)s.") % _instant(account.line.ts_us, account.zone)


def _moved(account: LineAccount) -> str:
    amount = text.money_exact(micro=abs(account.line.amount_micro), currency=account.currency)
    said = move_words.line(
        settled=account.facts.get("settle") != "transfer", amount=account.line.amount_micro
    )
    instant = _instant(account.line.ts_us, account.zone)
    return said % {"amount": amount} + gettext(", on %(day)s at %(time)s.") % instant


def _correction(account: LineAccount) -> str:
    corrects = account.corrects
    if corrects is None:
        return _by_fact(account)
    unit_nano = corrects.unit // NANO_PER_MICRO
    line = account.line
    day = gettext("%(component)s of %(day)s, charged in %(lines)s, costs %(new)s instead of %(old)s") % {
        "component": component(corrects.component),
        "day": text.short_day(at_us=corrects.day_us, zone=account.zone),
        "lines": _lines(corrects.first_seq, corrects.last_seq),
        "new": text.exact(nano=corrects.new_exact // unit_nano, currency=account.currency),
        "old": text.exact(nano=corrects.old_exact // unit_nano, currency=account.currency),
    }
    amount = text.money_exact(micro=abs(line.amount_micro), currency=account.currency)
    moved = gettext("given back") if line.amount_micro > 0 else gettext("charged in addition")
    return gettext("%(why)s: %(day)s. %(amount)s %(moved)s.") % {
        "why": _cause(account),
        "day": day,
        "amount": amount,
        "moved": moved,
    }


def _cause(account: LineAccount) -> str:
    corrects = account.corrects
    assert corrects is not None, "asked only of corrections"
    match corrects.cause:
        case "tariff":
            said = gettext("The tariff was corrected by %(author)s")
        case "edited" if corrects.reason == ESTIMATE_GAVE_WAY:
            said = gettext("The meter was read after its use had been estimated, and the estimate gave way")
            corrects = replace(corrects, author="", reason="")
        case "edited" if corrects.reason == CHANGE_WAS_READ:
            said = gettext(
                "The meter was read after the home had changed hands, and its register at that moment is known"
            )
            corrects = replace(corrects, author="", reason="")
        case "edited" if corrects.reason == ENDED_BEFORE:
            said = gettext("The home had changed hands: what was used after that moment is not yours to pay")
            corrects = replace(corrects, author="", reason="")
        case "edited":
            said = gettext("A reading was set right by %(author)s")
        case _:
            said = gettext("A reading came late")
    said = said % {"author": corrects.author} if corrects.author else said.replace("%(author)s", "")
    if corrects.reason:
        said += f" ({corrects.reason})"
    for at_us, wh in corrects.readings[:1]:
        shown = register(wh, account) if wh is not None else gettext("does not count")
        said += gettext(" (%(day)s %(time)s: %(shown)s)") % {**_instant(at_us, account.zone), "shown": shown}
    return said


def _late(account: LineAccount) -> str:
    said = gettext(
        "The meter showed %(kwh)s on %(day)s at %(time)s; this was told late. It costs nothing itself: its energy "
        "was charged with the reading after it."
    ) % {"kwh": register(account.line.register_wh, account), **_instant(account.line.ts_us, account.zone)}
    if account.corrected_by:
        total = sum(by.amount_micro for by in account.corrected_by)
        said += gettext(" The charges around it were set right by %(amount)s.") % {
            "amount": text.money_exact(micro=total, currency=account.currency)
        }
    return said


def _by_fact(account: LineAccount) -> str:
    said = gettext("%(name)s of %(amount)s on %(day)s at %(time)s") % {
        "name": name(account=account),
        "amount": text.money_exact(micro=account.line.amount_micro, currency=account.currency),
        **_instant(account.line.ts_us, account.zone),
    }
    if "after_seq" in account.facts:
        return said + gettext(
            ": a ruling and a correction gave the same charge back, and it comes back once."
        )
    reason = next(
        (value for key in ("note", "reason", "name", "description") if (value := account.facts.get(key))),
        None,
    )
    if reason:
        said += pgettext("before a list", ": ") + str(reason)
    return said + gettext(" (entry no. %(fact)s).") % {"fact": account.facts.get("fact", account.line.ref)}


def _window(account: LineAccount) -> str:
    """A settled window: what it came to by element, and what of it this line moves."""
    facts = account.facts
    start, end, wh = (facts.get(key) for key in ("window_us", "end_us", "energy_wh"))
    if not (isinstance(start, int) and isinstance(end, int) and isinstance(wh, int)):
        return _by_fact(account)
    elements = (
        f"{label.removeprefix(ELEMENT)} {text.money(micro=int(exact), currency=account.currency)}"
        for label, exact in facts.items()
        if label.startswith(ELEMENT)
    )
    said = gettext("%(first)s to %(last)s ended with %(kwh)s used and was settled: %(elements)s") % {
        "first": text.short_day(at_us=start, zone=account.zone),
        "last": text.short_day(at_us=end - 1, zone=account.zone),
        "kwh": used(wh, account),
        "elements": _joined(elements),
    }
    return f"{said}." + gettext(" Of this, what was not charged before is %(amount)s.") % {
        "amount": text.money_exact(micro=-account.line.amount_micro, currency=account.currency)
    }


_SENTENCES: Final[dict[int, Callable[[LineAccount], str]]] = {
    Kind.READING: _reading,
    Kind.TOPUP: _topup,
    Kind.CORRECTION: _correction,
    Kind.LATE: _late,
    Kind.TRUE_UP: _window,
    Kind.MOVED: _moved,
    **credit_sentences.SENTENCES,
    **cash_sentences.SENTENCES,
    **refund_words.SENTENCES,
}


def component(code: str) -> str:
    """The part of a charge that a correction is about."""
    return {
        "energy": gettext("Energy"),
        "standing": gettext("The standing charge"),
        "tax": gettext("The tax"),
    }.get(code, code)


def unit_of(account: LineAccount) -> Unit:
    """What the tariff of a line prices: kWh or m³."""
    return "kWh" if account.meter is None else account.meter.unit


def used(wh: int, account: LineAccount) -> str:
    """What was used, as it is billed, to the watt-hour or litre."""
    return text.exact_used(wh=wh, unit=unit_of(account))


def register(wh: int, account: LineAccount) -> str:
    """What a register shows: what is billed, or a volume where the tariff turns litres into energy."""
    converted = account.meter is not None and account.meter.conversion != (1, 1)
    return text.exact_used(wh=wh, unit="m3" if converted else unit_of(account))


def when(start_us: int, end_us: int, zone: str) -> tuple[str, str]:
    """Both ends of an interval as clock times, with their days unless it lies within one."""
    start, end = text.clock(at_us=start_us, zone=zone), text.clock(at_us=end_us, zone=zone)
    if local_date(zone=zone, at_us=start_us) == local_date(zone=zone, at_us=end_us - 1):
        return start, end if end != "00:00" else "24:00"
    first, last = (text.short_day(at_us=at_us, zone=zone) for at_us in (start_us, end_us))
    return f"{first} {start}", f"{last} {end}"


def _instant(at_us: int, zone: str) -> dict[str, str]:
    return {"day": text.short_day(at_us=at_us, zone=zone), "time": text.clock(at_us=at_us, zone=zone)}


def _lines(first: int, last: int) -> str:
    if first == last:
        return gettext("line %(first)d") % {"first": first}
    return gettext("lines %(first)d to %(last)d") % {"first": first, "last": last}


def _joined(parts: Iterable[str]) -> str:
    return pgettext("between sums", "; ").join(parts)

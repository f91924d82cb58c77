"""The arithmetic of a line, step by step: what stands behind its sentence, for whoever wants to check it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext

from fairwatt.core.rating.explain import Explained
from fairwatt.core.rating.state import CARRY_TAX_LIMIT
from fairwatt.core.units import NANO_PER_MICRO
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.web.design import format as text
from fairwatt.web.design import vee_words, words
from fairwatt.web.design.clock_words import clock_in_money, clock_offset
from fairwatt.web.design.sentences import component, register, used


@dataclass(frozen=True, kw_only=True)
class Step:
    """A row: what it is, in what it was found, and the figure."""

    label: str
    detail: str = ""
    figure: str = ""
    total: bool = False


def steps(*, account: LineAccount) -> list[Step]:
    """Every step from the facts to the wallet's new balance, in order."""
    return [
        *_where(account),
        *(_interval(account, account.interval) if account.interval else ()),
        *_correction(account),
        *_facts(account),
        *_wallet(account),
    ]


def _converted(account: LineAccount) -> str:
    """How the register became what is billed: by the tariff, or by the transformers in front of the meter."""
    if account.meter is None:
        return ""
    if account.meter.transformer != (1, 1):
        primary, secondary = account.meter.transformer
        return gettext(
            "the whole register × %(primary)d / %(secondary)d of the current transformers, less what was billed before"
        ) % {"primary": primary, "secondary": secondary}
    if account.meter.conversion == (1, 1):
        return ""
    multiply, divide = account.meter.conversion
    return gettext("m³ × %(multiply)d / %(divide)d of the whole register, less what was billed before") % {
        "multiply": multiply,
        "divide": divide,
    }


def _where(account: LineAccount) -> Iterator[Step]:
    yield Step(label=gettext("Line"), figure=str(account.id))
    if account.meter is not None:
        yield Step(
            label=gettext("Meter"),
            detail=gettext("installation %(n)d") % {"n": account.meter.installation},
            figure=f"{account.meter.number:012d}",
        )
        yield Step(
            label=gettext("Tariff"),
            detail=gettext("publication %(n)d") % {"n": account.meter.publication},
            figure=account.meter.plan,
        )
    if account.posted_us:
        yield Step(label=gettext("Posted"), figure=_at(account.posted_us, account.zone))


def _taken(account: LineAccount) -> Iterator[Step]:
    """How the register after came to be known: read by a gateway, or estimated and approved."""
    if account.ended:
        yield Step(
            label=gettext("Register at the move"),
            figure=gettext("read by a person")
            if account.ended == "stated"
            else gettext("expected, not read"),
        )
        return
    if account.estimate is None:
        yield Step(
            label=gettext("Clock of the gateway"),
            detail=clock_in_money(account)
            or gettext("more than two minutes ahead would have been set aside"),
            figure=clock_offset(account),
        )
        return
    yield Step(
        label=gettext("Estimated, not read"),
        detail=gettext("approval %(n)d, approved by %(person)s")
        % {"n": account.estimate.approval, "person": account.estimate.approved_by},
        figure=vee_words.method(account.estimate.method),
    )


def _interval(account: LineAccount, interval: Explained) -> Iterator[Step]:
    zone, money = account.zone, account.currency
    before, line = interval.before, account.line
    yield Step(
        label=gettext("Register before"),
        detail=_at(before.at_us, zone),
        figure=register(before.register_wh, account),
    )
    for boundary in interval.boundaries:
        yield Step(
            label=gettext("Register at the price change, estimated"),
            detail=_at(boundary.at_us, zone),
            figure=register(boundary.register_wh, account),
        )
    rolled = gettext("it passed its end and began at zero") if interval.rolled_over else ""
    yield Step(
        label=gettext("Register after"),
        detail=" ".join(filter(None, [_at(line.ts_us, zone), rolled])),
        figure=register(line.register_wh, account),
    )
    yield from _taken(account)
    yield Step(label=gettext("Used"), detail=_converted(account), figure=used(interval.energy_wh, account))
    for share in interval.shares:
        if not share.energy_wh and len(interval.shares) > 1:
            continue
        counted = gettext("counter %(before)s to %(after)s") % {
            "before": used(share.counter_before_wh, account),
            "after": used(share.counter_after_wh, account),
        }
        block = gettext("block %(n)d") % {"n": share.block} if share.blocks > 1 else ""
        version = gettext("version %(n)d, %(name)s") % {"n": share.version, "name": share.version_name}
        price = text.money_exact(micro=share.price_micro, currency=money)
        yield Step(
            label=f"{used(share.energy_wh, account)} × {price}",
            detail=" · ".join(
                filter(None, [version, words.period(share.period), block, counted if share.window_us else ""])
            ),
            figure=text.exact(nano=share.nano, currency=money),
        )
    yield from _fractions(account, interval)


def _fractions(account: LineAccount, interval: Explained) -> Iterator[Step]:
    money, before, after = account.currency, interval.before, interval.after
    carried = gettext("fraction carried in %(before)s, carried on %(after)s")
    yield Step(
        label=gettext("Energy"),
        detail=carried
        % {
            "before": text.exact(nano=before.carry_nano, currency=money),
            "after": text.exact(nano=after.carry_nano, currency=money),
        },
        figure=text.money_exact(micro=interval.charge.energy_micro, currency=money),
        total=True,
    )
    for midnight in interval.midnights:
        yield Step(
            label=gettext("Standing charge"),
            detail=_at(midnight.at_us, account.zone),
            figure=text.money_exact(micro=midnight.micro, currency=money),
        )
    if interval.charge.tax_micro or interval.tax_exact:
        yield Step(
            label=gettext("Tax"),
            detail=carried
            % {
                "before": _tax_fraction(before.carry_tax, money),
                "after": _tax_fraction(after.carry_tax, money),
            },
            figure=text.money_exact(micro=interval.charge.tax_micro, currency=money),
            total=True,
        )


def _correction(account: LineAccount) -> Iterator[Step]:
    corrects, money = account.corrects, account.currency
    if corrects is None:
        return
    per_nano = corrects.unit // NANO_PER_MICRO
    for at_us, wh in corrects.readings:
        yield Step(
            label=gettext("Reading that was learned"),
            detail=_at(at_us, account.zone),
            figure=gettext("does not count") if wh is None else register(wh, account),
        )
    yield Step(
        label=gettext("Corrects"),
        detail=gettext("lines %(first)d to %(last)d, %(component)s of %(day)s")
        % {
            "first": corrects.first_seq,
            "last": corrects.last_seq,
            "component": component(corrects.component),
            "day": text.short_day(at_us=corrects.day_us, zone=account.zone),
        },
    )
    for label, amount in (
        (gettext("Was charged, exactly"), corrects.old_exact),
        (gettext("Is charged, exactly"), corrects.new_exact),
    ):
        yield Step(label=label, figure=text.exact(nano=amount // per_nano, currency=money))


def _facts(account: LineAccount) -> Iterator[Step]:
    for key, value in account.facts.items():
        if key.endswith("_us") and isinstance(value, int):
            yield Step(label=key.removesuffix("_us").replace("_", " "), figure=_at(value, account.zone))
        elif key.endswith("_micro") and isinstance(value, int):
            shown = text.money_exact(micro=value, currency=account.currency)
            yield Step(label=key.removesuffix("_micro").replace("_", " "), figure=shown)
        else:
            yield Step(label=key.replace("_", " "), figure=str(value))


def _wallet(account: LineAccount) -> Iterator[Step]:
    money = account.currency
    for label, micro, total in (
        (gettext("Balance before"), account.balance_before_micro, False),
        (gettext("This line"), account.line.amount_micro, True),
        (gettext("Balance after"), account.line.balance_micro, False),
    ):
        yield Step(label=label, figure=text.money_exact(micro=micro, currency=money), total=total)


def _tax_fraction(carry: int, currency: str) -> str:
    per_nano = CARRY_TAX_LIMIT // NANO_PER_MICRO
    return text.exact(nano=carry // per_nano, currency=currency)


def _at(at_us: int, zone: str) -> str:
    return f"{text.short_day(at_us=at_us, zone=zone)} {text.clock_seconds(at_us=at_us, zone=zone)}"

"""Template filters: integers become text here and nowhere earlier."""

from __future__ import annotations

from datetime import date, timedelta

from django import template

from fairwatt.core.account_numbers import in_groups
from fairwatt.core.costs.apportion import percent_text
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import MICRO, Unit, micro_from_minor
from fairwatt.flows.tonight import Hours
from fairwatt.payments.amounts import text_from_minor
from fairwatt.store.models import Book, CostEntry, MeterCheck
from fairwatt.web.design import credit_words, pay_words, refusals, tariff_words, vee_words, words
from fairwatt.web.design import format as text

register = template.Library()


@register.filter
def money(micro: int, currency: str) -> str:
    """{{ micro|money:currency }}"""
    return text.money(micro=micro, currency=currency)


@register.filter
def money_whole(micro: int, currency: str) -> str:
    """{{ micro|money_whole:currency }}: no decimals, for headlines of a whole building."""
    return text.money(micro=micro, currency=currency, places=0)


@register.filter
def signed_money(micro: int, currency: str) -> str:
    """{{ micro|signed_money:currency }}: what a line moved, with a plus where money came in."""
    return ("+ " if micro > 0 else "") + text.charge(micro=micro, currency=currency)


@register.filter
def minor_money(minor: int, book: Book) -> str:
    """{{ minor|minor_money:book }}"""
    micro = micro_from_minor(amount_minor=minor, minor_digits=book.minor_digits)
    return text.money(micro=micro, currency=book.currency)


@register.filter
def minor_text(minor: int, book: Book) -> str:
    """{{ minor|minor_text:book }}: an amount as it is typed."""
    return text_from_minor(minor, digits=book.minor_digits)


@register.filter
def account_groups(number: str) -> str:
    """{{ number|account_groups }}: an account number as people read it."""
    return in_groups(number=number)


@register.filter
def charge(micro: int, currency: str) -> str:
    """{{ micro|charge:currency }}: what a line moved, with decimals below a coin only where it has them."""
    return text.charge(micro=micro, currency=currency)


@register.filter
def owed(micro: int, currency: str) -> str:
    """{{ micro|owed:currency }}: a debt, rounded as the balance is."""
    return text.owed(micro=micro, currency=currency)


@register.simple_tag
def since(at_us: int, now_us: int, zone: str) -> str:
    """{% since at_us now_us zone %}: a time, with its day when that was another day."""
    return text.since(at_us=at_us, now_us=now_us, zone=zone)


@register.filter
def volts(voltage_dv: int) -> str:
    """{{ voltage_dv|volts }}"""
    return text.volts(voltage_dv=voltage_dv)


@register.filter
def amperes(current_ma: int) -> str:
    """{{ current_ma|amperes }}"""
    return text.amperes(current_ma=current_ma)


@register.filter
def kwh(wh: int, unit: Unit = "kWh") -> str:
    """{{ wh|kwh }}, or {{ litres|kwh:unit }} where a tariff's unit may be m³."""
    return text.used(wh=wh, places=1, unit=unit)


@register.filter
def watts(power_w: int) -> str:
    """{{ power_w|watts }}"""
    return text.watts(power_w=power_w)


@register.filter
def day(at_us: int, zone: str) -> str:
    """{{ at_us|day:zone }}"""
    return text.day(at_us=at_us, zone=zone)


@register.filter
def short_day(at_us: int, zone: str) -> str:
    """{{ at_us|short_day:zone }}"""
    return text.short_day(at_us=at_us, zone=zone)


@register.filter
def long_day(at_us: int, zone: str) -> str:
    """{{ at_us|long_day:zone }}"""
    return text.long_day(at_us=at_us, zone=zone)


@register.filter
def clock(at_us: int, zone: str) -> str:
    """{{ at_us|clock:zone }}"""
    return text.clock(at_us=at_us, zone=zone)


@register.filter
def clock_seconds(at_us: int, zone: str) -> str:
    """{{ at_us|clock_seconds:zone }}"""
    return text.clock_seconds(at_us=at_us, zone=zone)


@register.filter
def iso(at_us: int, zone: str) -> str:
    """{{ at_us|iso:zone }}"""
    return text.iso(at_us=at_us, zone=zone)


@register.filter
def ago(at_us: int, now_us: int) -> str:
    """{{ at_us|ago:now_us }}"""
    return text.ago(at_us=at_us, now_us=now_us)


@register.filter
def duration(us: int) -> str:
    """{{ us|duration }}: how long something lasts, roughly."""
    return text.duration(us=us)


@register.filter
def money_exact(micro: int, currency: str) -> str:
    """{{ micro|money_exact:currency }}: as many decimals as the ledger has."""
    return text.money_exact(micro=micro, currency=currency)


@register.filter
def kwh_whole(wh: int, unit: Unit = "kWh") -> str:
    """{{ wh|kwh_whole }}: for amounts that are about right only."""
    return text.used(wh=wh, places=0, unit=unit)


@register.filter
def kwh_fine(wh: int, unit: Unit = "kWh") -> str:
    """{{ wh|kwh_fine }}: for single charges."""
    return text.used(wh=wh, places=2 if wh % 10 == 0 else 3, unit=unit)


@register.filter
def money_short(micro: int, currency: str) -> str:
    """{{ micro|money_short:currency }}: without decimals where there are none."""
    return text.money(micro=micro, currency=currency, places=2 if micro % MICRO else 0)


@register.filter
def symbol(currency: str) -> str:
    """{{ currency|symbol }}"""
    return text.symbol(currency=currency)


@register.filter
def reason_words(code: str) -> str:
    """{{ code|reason_words }}: a stored reason as words."""
    return words.reason(code)


@register.filter
def fee_words(code: str) -> str:
    """{{ code|fee_words }}: what a fee is for."""
    return words.fee_category(code)


@register.filter
def every_words(code: str) -> str:
    """{{ code|every_words }}: how often a fee comes back."""
    return words.every(code)


@register.filter
def basis_words(code: str) -> str:
    """{{ code|basis_words }}: what a part of a formula counts."""
    return words.basis(code)


@register.filter
def account_words(account: str) -> str:
    """{{ account|account_words }}: what an entry is for, from the account it earned on."""
    return words.earned(account)


@register.filter
def money_micro(micro: int, currency: str) -> str:
    """{{ micro|money_micro:currency }}: all six decimals, so that columns can be added by hand."""
    return text.money(micro=micro, currency=currency, places=6)


@register.filter
def percent(bp: int) -> str:
    """{{ bp|percent }}: hundredths of a percent."""
    return f"{percent_text(bp)} %"


@register.filter
def part_of(part: int, whole: int) -> int:
    """{{ part|part_of:whole }}: in thousandths, for a bar; never nothing where there is something."""
    return max(4, 1000 * part // whole) if part > 0 and whole > 0 else 0


@register.filter
def owed_whole(entry: CostEntry) -> int:
    """{{ entry|owed_whole }}: what was asked for, with tax."""
    return int(entry.due_micro + entry.tax_micro)


@register.filter
def last_day(end: date) -> date:
    """{{ end|last_day }}: the last day of a span whose end is not included."""
    return end - timedelta(days=1)


@register.filter
def last_instant(end_us: int) -> int:
    """{{ end_us|last_instant|day:zone }}: the last instant of a span whose end is not included."""
    return end_us - 1


@register.filter
def square_metres(area_dm2: int) -> str:
    """{{ area|square_metres }}"""
    return f"{area_dm2 // 100}.{area_dm2 % 100:02d} m²"


@register.filter
def method_words(slug: str) -> str:
    """{{ slug|method_words }}"""
    return pay_words.method(slug)


@register.filter
def provider_words(slug: str) -> str:
    """{{ slug|provider_words }}"""
    return pay_words.provider(slug)


@register.filter
def kwh_exact(wh: int) -> str:
    """{{ wh|kwh_exact }}: to the watt-hour, without its unit, for columns and fields."""
    return text.kwh(wh=wh, places=3).removesuffix(" kWh").replace(",", "")


@register.filter
def exact(wh: int, unit: Unit = "kWh") -> str:
    """{{ wh|exact:unit }}: to the watt-hour or litre, with its unit, without zeros that say nothing."""
    return text.exact_used(wh=wh, unit=unit)


@register.filter
def vee_rule(code: str) -> str:
    """{{ code|vee_rule }}: a finding as a sentence."""
    return vee_words.rule(code)


@register.filter
def vee_status(code: str) -> str:
    """{{ code|vee_status }}: where a value comes from, in a word."""
    return vee_words.status(code)


@register.filter
def vee_method(code: str) -> str:
    """{{ code|vee_method }}: how a value came about."""
    return vee_words.method(code)


@register.filter
def due_words(code: str) -> str:
    """{{ code|due_words }}: how a certificate stands."""
    return str(vee_words.DUE[code])


@register.filter
def verdict_words(code: str) -> str:
    """{{ code|verdict_words }}: what a check-meter test says."""
    return str(vee_words.VERDICTS[code])


@register.filter
def limit_words(code: str) -> str:
    """{{ code|limit_words }}: whose limit it was."""
    return str(vee_words.LIMITS[code])


@register.filter
def refusal_words(code: str) -> str:
    """{{ refusal.code|refusal_words }}: why nothing was written."""
    return str(vee_words.REFUSALS.get(code, code.replace("_", " ")))


@register.filter
def said(refusal: Refusal) -> str:
    """{{ refusal|said }}: the sentence of a refusal in the reader's language."""
    return refusals.said(refusal)


@register.filter
def fault_words(code: str) -> str:
    """{{ fault.code|fault_words }}: what kind of fault a tariff file has, and what to do."""
    return str(tariff_words.FAULTS.get(code, code.replace("_", " ")))


@register.filter
def per_cent(per_mille: int) -> str:
    """{{ per_mille|per_cent }}: one decimal, cut."""
    return f"{per_mille // 10}.{per_mille % 10} %"


@register.filter
def quiet_hours(one: Hours) -> str:
    """{{ one|quiet_hours }}: hours without cuts as they are typed."""
    return credit_words.quiet_hours(friendly=one.friendly, weekends=one.weekends)


@register.filter
def error_per_cent(check: MeterCheck) -> str:
    """{{ check|error_per_cent }}: the exact error cut after three decimals, with its sign."""
    return text.error_per_cent(numerator=check.error_num, denominator=check.error_den)


@register.filter
def gauge_x(check: MeterCheck) -> int:
    """{{ check|gauge_x }}: an error on a scale of 400 that its limits quarter."""
    at = 200 + check.error_num * 100 // (check.error_den * check.limit_per_mille)
    return max(0, min(395, at - 2))

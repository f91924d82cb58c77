"""Parameters (DI3 04), annex A table A.5 and the State Grid supplement."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry, plain

DATE: Final = 0x04000101
TIME: Final = 0x04000102
DATE_TIME: Final = 0x0400010C
PASSWORD_1: Final = 0x04000C01

_PLAIN: Final = {
    DATE: ("date and weekday", "YYMMDDWW", ""),
    TIME: ("time", "hhmmss", ""),
    0x04000103: ("demand period", "NN", "min"),
    0x04000104: ("demand step", "NN", "min"),
    0x04000105: ("pulse width", "XXXX", "ms"),
    0x04000106: ("change of zone tables", "YYMMDDhhmm", ""),
    0x04000107: ("change of day tables", "YYMMDDhhmm", ""),
    0x04000108: ("change of price tables", "YYMMDDhhmm", ""),
    0x04000109: ("change of step tables", "YYMMDDhhmm", ""),
    DATE_TIME: ("date, weekday and time", "#7", ""),
    0x04000201: ("number of year zones", "NN", ""),
    0x04000202: ("number of day tables", "NN", ""),
    0x04000203: ("number of day slots", "NN", ""),
    0x04000204: ("number of tariffs", "NN", ""),
    0x04000205: ("number of holidays", "NNNN", ""),
    0x04000206: ("harmonic orders", "NN", ""),
    0x04000207: ("number of steps", "NN", ""),
    0x04000301: ("screens in the cycle", "NN", ""),
    0x04000302: ("time of each screen", "NN", "s"),
    0x04000303: ("decimals of energy shown", "NN", ""),
    0x04000304: ("decimals of power shown", "NN", ""),
    0x04000305: ("screens by button", "NN", ""),
    0x04000306: ("current transformer ratio", "NNNNNN", ""),
    0x04000307: ("voltage transformer ratio", "NNNNNN", ""),
    0x04000401: ("communication address", "#6", ""),
    0x04000402: ("meter number", "#6", ""),
    0x04000403: ("asset code", "a32", ""),
    0x04000404: ("rated voltage", "a6", ""),
    0x04000405: ("rated current", "a6", ""),
    0x04000406: ("maximum current", "a6", ""),
    0x04000407: ("accuracy of active energy", "a4", ""),
    0x04000408: ("accuracy of reactive energy", "a4", ""),
    0x04000409: ("active constant", "XXXXXX", "imp/kWh"),
    0x0400040A: ("reactive constant", "XXXXXX", "imp/kvarh"),
    0x0400040B: ("meter model", "a10", ""),
    0x0400040C: ("date of make", "a10", ""),
    0x0400040D: ("protocol version", "a16", ""),
    0x0400040E: ("customer number", "#6", ""),
    0x04000601: ("combination of active energy", "b1", ""),
    0x04000602: ("combination of reactive energy 1", "b1", ""),
    0x04000603: ("combination of reactive energy 2", "b1", ""),
    0x04000701: ("speed of the infrared port, modulated", "b1", ""),
    0x04000702: ("speed of the infrared port, contact", "b1", ""),
    0x04000703: ("speed of port 1", "b1", ""),
    0x04000704: ("speed of port 2", "b1", ""),
    0x04000705: ("speed of port 3", "b1", ""),
    0x04000801: ("rest days", "b1", ""),
    0x04000802: ("day table of rest days", "NN", ""),
    0x04000901: ("load record mode", "b1", ""),
    0x04000902: ("timed freeze mode", "b1", ""),
    0x04000903: ("instant freeze mode", "b1", ""),
    0x04000904: ("agreed freeze mode", "b1", ""),
    0x04000905: ("hourly freeze mode", "b1", ""),
    0x04000906: ("daily freeze mode", "b1", ""),
    0x04000A01: ("start of load records", "MMDDhhmm", ""),
    0x04000E01: ("upper limit of forward active power", "XX.XXXX", "kW"),
    0x04000E02: ("upper limit of reverse active power", "XX.XXXX", "kW"),
    0x04000E03: ("upper limit of voltage", "XXX.X", "V"),
    0x04000E04: ("lower limit of voltage", "XXX.X", "V"),
    0x04000F01: ("alarm energy 1", "XXXXXX.XX", "kWh"),
    0x04000F02: ("alarm energy 2", "XXXXXX.XX", "kWh"),
    0x04000F03: ("hoarding limit of energy", "XXXXXX.XX", "kWh"),
    0x04000F04: ("overdraft limit of energy", "XXXXXX.XX", "kWh"),
    0x04001001: ("alarm amount 1", "XXXXXX.XX", "CNY"),
    0x04001002: ("alarm amount 2", "XXXXXX.XX", "CNY"),
    0x04001003: ("overdraft limit", "XXXXXX.XX", "CNY"),
    0x04001004: ("hoarding limit", "XXXXXX.XX", "CNY"),
    0x04001005: ("close permit limit", "XXXXXX.XX", "CNY"),
    0x04001101: ("running features 1", "b1", ""),
    0x04001104: ("reporting features", "b1", ""),
    0x04001201: ("start of hourly freezes", "YYMMDDhhmm", ""),
    0x04001202: ("interval of hourly freezes", "NN", "min"),
    0x04001203: ("time of daily freezes", "#2", ""),
    0x04001401: ("delay before tripping", "NNNN", "min"),
    0x04090B01: ("overload event: power above which it begins", "XX.XXXX", "kW"),
    0x04090B02: ("overload event: delay", "NN", "s"),
    0x04800001: ("software version", "a32", ""),
    0x04800002: ("hardware version", "a32", ""),
    0x04800003: ("vendor number", "a32", ""),
}
_ZONE: Final = Field("zone from", "MMDDNN")
_SLOT: Final = Field("slot from", "hhmmNN")
_PRICE: Final = Field("price", "XXXX.XXXX", "CNY/kWh")


def parameter_entry(identifier: int) -> Entry | None:
    """Name a parameter."""
    if identifier in _PLAIN:
        return plain(*_PLAIN[identifier])
    group, number = identifier >> 8, identifier & 0xFF
    if group == 0x040005:
        return _status(number)
    if group == 0x04000A and 2 <= number <= 7:
        return plain(f"interval of load record class {number - 1}", "NNNN", "min")
    if group == 0x04000B and 1 <= number <= 3:
        return plain(f"settlement day {number} of each month", "DDhh")
    if group == 0x04000C and 1 <= number <= 10:
        return plain(f"password of level {number - 1}", "#4")
    if group == 0x04000D and 1 <= number <= 12:
        names = ("conductance", "susceptance", "resistance", "reactance")
        return plain(f"{names[(number - 1) % 4]} of phase {'ABC'[(number - 1) // 4]}", "X.XXX")
    if group == 0x040300 and 1 <= number <= 254:
        return plain(f"holiday {number}", "YYMMDDNN")
    return _table(group, number)


def _status(number: int) -> Entry | None:
    if 1 <= number <= 7:
        return plain(f"status word {number}", "b2")
    if number == 0xFF:
        words = tuple(Field(f"status word {one}", "b2") for one in range(1, 8))
        return Entry("status words", words, is_block=True)
    return plain("key status word", "b4") if number == 8 else None


def _table(group: int, number: int) -> Entry | None:
    sets = {0x040100: 1, 0x040200: 2}
    if group in sets and number <= 8:
        if number == 0:
            return Entry(f"zone table {sets[group]}", (), (_ZONE,), is_block=True)
        return Entry(f"day table {number} of set {sets[group]}", (), (_SLOT,), is_block=True)
    cycles = {0x040401: "cycle", 0x040402: "button"}
    if group in cycles and 1 <= number <= 254:
        shown = (Field("item shown", "#4"), Field("screen", "NN"))
        return Entry(f"screen {number} by {cycles[group]}", shown, is_block=True)
    prices = {0x040501: 1, 0x040502: 2}
    if group in prices and (1 <= number <= 63 or number == 0xFF):
        name = f"tariff prices of set {prices[group]}"
        if number == 0xFF:
            return Entry(name, (), (_PRICE,), is_block=True)
        return plain(f"{name}: tariff {number}", _PRICE.notation, _PRICE.unit)
    return None

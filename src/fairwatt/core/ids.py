"""Natural keys that make a fact the same fact however often it arrives, and time-ordered row ids."""

from uuid import UUID


def payment_key(*, provider: str, event: str) -> str:
    """Name one callback by the provider's own event id, which survives retries and doubled deliveries."""
    return _key("pay", provider, event)


def asked_payment_key(*, provider: str, reference: str) -> str:
    """Name a payment that the provider told of when it was asked, by the provider's own number of it."""
    return _key("paid", provider, reference)


def billed_payment_key(*, account: int, bill: int, row: int) -> str:
    """Name a payment that only a provider's bill told of, by its place there."""
    return _key("billed", str(account), str(bill), str(row))


def provider_fee_key(*, account: int, day: str, bill: int) -> str:
    """Name what a provider kept of a day's payments, as one issue of its bill says."""
    return _key("provider_fee", str(account), day, str(bill))


def tariff_key(*, publication: int) -> str:
    """Name the publication of a tariff."""
    return _key("tariff", str(publication))


def account_key(*, wallet: int) -> str:
    """Name the opening of a wallet's account."""
    return _key("account", str(wallet))


def meter_key(*, installation: int) -> str:
    """Name the installation of one more meter for a wallet."""
    return _key("meter", str(installation))


def fee_run_key(*, fee: int, due: str) -> str:
    """Name one fall due of a fee by its local date."""
    return _key("fee", str(fee), due)


def allocation_key(*, allocation: int) -> str:
    """Name the posting of an allocation whose objection window is over."""
    return _key("allocation", str(allocation))


def publication_key(*, allocation: int) -> str:
    """Name the sighting of a published allocation, from which its objections run."""
    return _key("publication", str(allocation))


def share_key(*, share: int) -> str:
    """Name the posting of a share whose objection was decided."""
    return _key("share", str(share))


def reversal_key(*, what: str, number: int) -> str:
    """Name the taking back of an allocation or an entry."""
    return _key("reversal", what, str(number))


def ruling_key(*, ruling: int) -> str:
    """Name the adjustment that a ruling on a dispute leads to."""
    return _key("ruling", str(ruling))


def opening_key(*, wallet: int) -> str:
    """Name the balance brought over into a wallet."""
    return _key("opening", str(wallet))


def account_values_key(*, row: int) -> str:
    """Name a change of what the prices of a home depend on."""
    return _key("account_values", str(row))


def window_key(*, installation: int, window_us: int, batch: int | None = None) -> str:
    """Name the closing of a register's window, or its settling again after what a batch learned of it."""
    again = () if batch is None else (str(batch),)
    return _key("window", str(installation), str(window_us), *again)


def credit_rule_key(*, rule: int, step: int | None = None) -> str:
    """Name a credit rule that was written, or a step that somebody took about one."""
    return _key("credit_rule", str(rule), *(() if step is None else (str(step),)))


def debt_key(*, rule: int) -> str:
    """Name the beginning of a debt."""
    return _key("debt", str(rule))


def emergency_key(*, wallet: int, after: int) -> str:
    """Name emergency credit asked for after an entry: asked for twice, it is lent once."""
    return _key("emergency", str(wallet), str(after))


def forecast_key(*, made_us: int, first: int) -> str:
    """Name forecasts that move levels of warning: by when they were made and the first wallet among them."""
    return _key("forecast", str(made_us), str(first))


def credit_change_key(*, at_us: int) -> str:
    """Name an instant at which credit rules begin or end."""
    return _key("credit_change", str(at_us))


def move_key(*, unit: int, wallet: int, at_us: int) -> str:
    """Name the leaving of a home, or the coming into it, by who had it until then."""
    return _key("move", str(unit), str(wallet), str(at_us))


def exchange_key(*, meter: int, ticket: str) -> str:
    """Name the exchange of a meter by the form it was asked with."""
    return _key("exchange", str(meter), ticket)


def deposit_key(*, ticket: str) -> str:
    """Name a deposit by the form it was set aside with."""
    return _key("deposit", ticket)


def household_key(*, step: str, number: int, person: int) -> str:
    """Name that somebody joined by an invitation, or left a tenancy: `number` is the one or the other."""
    return _key("household", step, str(number), str(person))


def let_key(*, let: int, step: str, end_us: int) -> str:
    """Name a step of a let: its beginning, and the warning and the end that belong to one agreed end."""
    return _key("let", str(let), step, str(end_us))


def let_change_key(*, what: str, number: int) -> str:
    """Name that something about lets was written down: a word, a mark of a circuit."""
    return _key("let_change", what, str(number))


def settlement_key(*, wallet: int, batch: int | None = None) -> str:
    """Name the settling of an account whose person left, or its settling again after what a batch changed."""
    again = () if batch is None else (str(batch),)
    return _key("settlement", str(wallet), *again)


def shift_key(*, desk: int, ticket: str) -> str:
    """Name the opening of a shift by the form it was asked with."""
    return _key("shift", str(desk), ticket)


def shift_end_key(*, shift: int) -> str:
    """Name the count that ends a shift."""
    return _key("shift_end", str(shift))


def cash_out_key(*, of_kind: str, of_id: int) -> str:
    """Name the cash that is handed out for one thing that is owed."""
    return _key("cash_out", of_kind, str(of_id))


def money_wish_key(*, wish: int) -> str:
    """Name what one person asked for and another agreed to."""
    return _key("money_wish", str(wish))


def refund_key(*, refund: int, answer: int | None) -> str:
    """Name what a person answered to a refund; None is a wish that needs no answer."""
    return _key("refund", str(refund), "wish" if answer is None else str(answer))


def recalled_key(*, refund: int, read_us: int) -> str:
    """Name that the gateways gave a refund's credit back, as of when their meters were last read."""
    return _key("recalled", str(refund), str(read_us))


def refund_word_key(*, account: int, kind: str, reference: str, state: str) -> str:
    """Name what a provider said of a refund or a chargeback: told ten times, it is one fact."""
    return _key("word", str(account), kind, reference, state)


def switch_key(*, wave: int, wallet: int, day: str) -> str:
    """Name the change of a home from paying after use to paying first, tried on a local date."""
    return _key("switch", str(wave), str(wallet), day)


def hand_reading_key(*, reading: int) -> str:
    """Name a register that a person read."""
    return _key("hand", str(reading))


def _key(*parts: str) -> str:
    for part in parts:
        if not part:
            raise ValueError(f"a natural key has an empty part: {parts}")
    # Escaping keeps ("a:b", "c") and ("a", "b:c") apart, so two facts never share a key.
    return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)


def uuid7(*, now_us: int, entropy: bytes) -> UUID:
    """Make a UUID that sorts by time (RFC 9562, version 7), from an instant and at least 8 random bytes.

    The 12 bits after the millisecond carry the fraction of it (RFC 9562 section 6.2, method 3), so ids
    of one process sort by the microsecond, to about a quarter of one.
    """
    if len(entropy) < 8:
        raise ValueError(f"a UUIDv7 needs 8 random bytes, got {len(entropy)}")
    ms, fraction_us = divmod(now_us, 1_000)
    if not 0 <= ms < 1 << 48:
        raise ValueError(f"instant {now_us} does not fit a UUIDv7")
    fraction = fraction_us * 4_096 // 1_000
    tail = int.from_bytes(entropy[:8], "big") & ((1 << 62) - 1)
    return UUID(int=ms << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail)


def safety_reset_key(*, gateway: int, meter: int, since_us: int) -> str:
    """A person lets power return after the protective cut that began at an instant."""
    return f"safety_reset:{gateway}:{meter}:{since_us}"


def wiring_key(*, meter: int, at_us: int) -> str:
    """Where a meter was said to be wired, at an instant."""
    return f"wiring:{meter}:{at_us}"

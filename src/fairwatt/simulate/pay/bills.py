"""The platforms' bills of a day in their own formats, with the differences that a run seeded."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count, islice
from typing import Any, Final

from fairwatt.payments.amounts import text_from_minor
from fairwatt.payments.clocks import BEIJING, wall, wall_us
from fairwatt.simulate.pay.books import Books, Shop
from fairwatt.simulate.pay.faults import Faults

_DAY_US: Final = 86_400_000_000
_PACKED: Final = count()
_TRADE_HEAD: Final = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
_TRADE_FOOT: Final = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_FUND_HEAD: Final = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,"
    "资金变更提交申请人,备注,业务凭证号"
)
_FUND_FOOT: Final = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
_ALIPAY_HEAD: Final = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
FEE_BP: Final = 60
"""The platforms take 0.6 per cent."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A difference that a run put into a bill, by the name that reconciliation has for it: it must be found."""

    kind: str
    our_ref: str


@dataclass(frozen=True, slots=True)
class Moved:
    """One row of a bill before it is written: a refund names what it belongs to."""

    at_us: int
    our_ref: str
    number: str
    amount_minor: int
    subject: str
    currency: str
    refund_ref: str = ""
    refund_number: str = ""

    @property
    def fee_minor(self) -> int:
        """What the platform keeps; of a refund, what it gives back."""
        fee = (self.amount_minor * FEE_BP + 5_000) // 10_000
        return -fee if self.refund_ref else fee


def moved(books: Books, shop: Shop, *, from_us: int, until_us: int, faults: Faults) -> list[Moved]:
    """What the bill of a span says happened; seeded differences included."""
    rows: list[Moved] = []
    for paid in books.payments(shop):
        order = paid.order
        if from_us <= paid.at_us < until_us:
            rows.append(
                Moved(
                    paid.at_us, order.our_ref, paid.number, paid.settled_minor, order.subject, paid.currency
                )
            )
        rows += [
            Moved(
                one.at_us,
                order.our_ref,
                paid.number,
                one.amount_minor,
                order.subject,
                paid.currency,
                one.refund_ref,
                one.number,
            )
            for one in paid.refunds
            if one.state == "done" and from_us <= one.at_us < until_us
        ]
    told = seeded(rows, faults, from_us=from_us)[0]
    if faults.bill_again:
        told = [replace(one, subject=f"{one.subject} ({faults.bill_again})") for one in told]
    return told


class Paging[T]:
    """Lists that shops read page by page: what the first page began with is what the later ones go on with."""

    def __init__(self) -> None:
        self._rows: dict[str, list[T]] = {}

    def rows(self, shop: Shop, *, first: bool, make: Callable[[], list[T]]) -> list[T]:
        """What this shop is reading; made anew for a first page."""
        if first or shop.number not in self._rows:
            self._rows[shop.number] = make()
        return self._rows[shop.number]


def seeded(rows: list[Moved], faults: Faults, *, from_us: int) -> tuple[list[Moved], list[Seeded]]:
    """A bill's rows with the differences that the faults ask for, and what these are. No payment gets two."""
    paid = iter([one for one in rows if not one.refund_ref])
    out, told = list(rows), list[Seeded]()

    def some(count: int) -> list[Moved]:
        return list(islice(paid, count))

    for one in some(faults.bill_omit):
        out.remove(one)
        told.append(Seeded("not_billed", one.our_ref))
    for one in some(faults.bill_amount):
        out[out.index(one)] = replace(one, amount_minor=one.amount_minor + 100)
        told.append(Seeded("amount_differs", one.our_ref))
    for one in some(faults.bill_twice):
        out.append(one)
        told.append(Seeded("billed_twice", one.our_ref))
    for one in some(faults.bill_refund):
        back = replace(one, refund_ref=f"R{one.number[-20:]}", refund_number=f"50r{one.number[-20:]}")
        out.append(back)
        told.append(Seeded("refund_unknown", one.our_ref))
    pairs = some(2 * faults.bill_refs)
    for one, other in zip(pairs[::2], pairs[1::2], strict=False):
        out[out.index(one)] = replace(one, our_ref=other.our_ref)
        out[out.index(other)] = replace(other, our_ref=one.our_ref)
        told += [Seeded("reference_differs", one.our_ref), Seeded("reference_differs", other.our_ref)]
    currency = rows[0].currency if rows else "CNY"
    for n in range(faults.bill_extra):
        ref = f"{n:08d}ghost".ljust(32, "0")
        out.append(Moved(from_us + n, ref, f"42ghost{n:08d}", 777 + n, "?", currency))
        told.append(Seeded("unknown_payment", ref))
    return out, told


def beijing_day(day: str) -> tuple[int, int]:
    """The span of a local day there."""
    start_us = wall_us(f"{day} 00:00:00", zone=BEIJING)
    return start_us, start_us + _DAY_US


def wechat_trades(books: Books, shop: Shop, day: str, faults: Faults) -> bytes | None:
    """`tradebill`: None for a day without a movement, for which WeChat has no bill."""
    from_us, until_us = beijing_day(day)
    rows = moved(books, shop, from_us=from_us, until_us=until_us, faults=faults)
    if not rows:
        return None
    lines = [_TRADE_HEAD]
    for one in rows:
        back = bool(one.refund_ref)
        lines.append(
            _ticked(
                *(wall(one.at_us, zone=BEIJING), f"wx{shop.number}", shop.number, "0", ""),
                *(one.number, one.our_ref, "o", "NATIVE", "REFUND" if back else "SUCCESS", "OTHERS"),
                one.currency,
                *("0.00" if back else _yuan(one.amount_minor), "0.00"),
                *(
                    one.refund_number or "0",
                    one.refund_ref or "0",
                    _yuan(one.amount_minor) if back else "0.00",
                ),
                *("0.00", "ORIGINAL" if back else "", "SUCCESS" if back else "", one.subject, ""),
                *(_yuan(one.fee_minor), "0.60%", _yuan(one.amount_minor), "0.00", ""),
            )
        )
    paid = sum(one.amount_minor for one in rows if not one.refund_ref)
    back_minor = sum(one.amount_minor for one in rows if one.refund_ref)
    fees = sum(one.fee_minor for one in rows)
    lines += [
        _TRADE_FOOT,
        _ticked(str(len(rows)), _yuan(paid), _yuan(back_minor), "0.00", _yuan(fees), _yuan(paid), "0.00"),
    ]
    return "\ufeff".encode() + "\r\n".join(lines).encode() + b"\r\n"


def wechat_funds(books: Books, shop: Shop, day: str, faults: Faults) -> bytes | None:
    """`fundflowbill`: income, refunds, and the fees as rows of their own."""
    from_us, until_us = beijing_day(day)
    rows = moved(books, shop, from_us=from_us, until_us=until_us, faults=faults)
    if not rows:
        return None
    lines, count = [_FUND_HEAD], 0
    for one in rows:
        back = bool(one.refund_ref)
        number = one.refund_number or one.number
        for word, amount in (
            ("退款" if back else "交易", one.amount_minor),
            ("扣除交易手续费", one.fee_minor),
        ):
            count += 1
            income = (word == "交易") or amount < 0
            lines.append(
                _ticked(
                    *(wall(one.at_us, zone=BEIJING), number, f"{number}{count:04d}", word, word),
                    *("收入" if income else "支出", _yuan(abs(amount)), "0.00", "system", "", one.our_ref),
                )
            )
    lines += [_FUND_FOOT, _ticked(str(count), "0", "0.00", "0", "0.00")]
    return "\r\n".join(lines).encode() + b"\r\n"


def alipay_trades(books: Books, shop: Shop, day: str, faults: Faults) -> bytes | None:
    """The ZIP of a `trade` bill."""
    from_us, until_us = beijing_day(day)
    rows = moved(books, shop, from_us=from_us, until_us=until_us, faults=faults)
    if not rows:
        return None
    lines = [
        "#支付宝业务明细查询",
        f"#账号：[{shop.number}0156]",
        f"#起始日期：[{day} 00:00:00]   终止日期：[{date.fromisoformat(day) + timedelta(days=1)} 00:00:00]",
        "#-----------------------------------------业务明细列表----------------------------------------",
        _ALIPAY_HEAD,
    ]
    for one in rows:
        back, at = bool(one.refund_ref), wall(one.at_us, zone=BEIJING)
        amount = _yuan(-one.amount_minor if back else one.amount_minor)
        cells = [
            one.number,
            one.our_ref,
            "退款" if back else "交易",
            one.subject,
            at,
            at,
            *[""] * 4,
            "p**@x.cn",
        ]
        cells += [amount, amount, *["0.00"] * 5, "", "0.00", "0.00"]
        cells += [one.refund_ref, _yuan(-one.fee_minor), "0.00", ""]
        lines.append(",".join(f"{cell}\t" for cell in cells))
    paid = [one.amount_minor for one in rows if not one.refund_ref]
    back_minor = [one.amount_minor for one in rows if one.refund_ref]
    lines += [
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{_yuan(sum(paid))}元，商家优惠共0.00元",
        f"#退款合计：{len(back_minor)}笔，商家实收退款共-{_yuan(sum(back_minor))}元，商家优惠退款共0.00元",
    ]
    text = "\r\n".join(lines).encode("gb18030")
    return _zipped(
        ((f"{shop.number}_{day}_业务明细.csv", text), (f"{shop.number}_{day}_业务明细(汇总).csv", b""))
    )


def _zipped(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Packed at every download, with the instant of that: the same bill is never the same bytes twice."""
    out, nth = io.BytesIO(), next(_PACKED)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, (2026, 1, 1, nth // 1800 % 24, nth // 30 % 60, nth % 30 * 2))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue()


def stripe_transactions(
    books: Books, shop: Shop, *, from_s: int, until_s: int, faults: Faults
) -> list[dict[str, Any]]:
    """Balance transactions, newest first."""
    rows = moved(books, shop, from_us=from_s * 1_000_000, until_us=until_s * 1_000_000, faults=faults)
    known = {paid.number: paid.intent_number for paid in books.payments(shop)}
    out = []
    for n, one in enumerate(rows):
        back = bool(one.refund_ref)
        out.append(
            {
                "id": f"txn_{from_s}_{n:06d}",
                "type": "refund" if back else "charge",
                "amount": -one.amount_minor if back else one.amount_minor,
                "fee": 0 if back else one.fee_minor,
                "currency": one.currency.lower(),
                "created": one.at_us // 1_000_000,
                "description": one.subject,
                "source": {
                    "id": one.refund_number if back else f"ch_{one.number}",
                    "payment_intent": known.get(one.number, f"pi_{one.number}"),
                    "metadata": {"our_ref": one.our_ref, **({"refund_ref": one.refund_ref} if back else {})},
                },
            }
        )
    return out[::-1]


def _ticked(*cells: str) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _yuan(minor: int) -> str:
    return text_from_minor(minor, digits=2)

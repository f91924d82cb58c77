"""The terms of a street: its price sheet, its currency and clock, and when people are warned and cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TARIFFS = Path(__file__).parent / "tariffs"


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices and credit policy of the street; `change_us` is when the tariff file's last version starts."""

    tariff_file: str
    currency: str
    zone: str
    change_us: int
    low_micro: int
    critical_micro: int
    low_wh: int = 12_000  # about a day and a half of a middling home
    warn_lead_us: int = 3_600_000_000
    friendly: tuple[tuple[int, int], ...] = ((0, 480), (1320, 1440))  # local minutes: 22:00 to 08:00
    friendly_weekends: bool = False
    stale_after_us: int = 6 * 3_600_000_000

    @property
    def tariff_text(self) -> str:
        """The tariff file's own text."""
        return (TARIFFS / self.tariff_file).read_text(encoding="utf-8")


# change_us: 2013-04-08 00:00 in London, 2013-05-20 00:00 in Shanghai, 2013-10-08 10:15 UTC.
STREET_GBP = Terms("street_gbp.yaml", "GBP", "Europe/London", 1_365_375_600_000_000, 2_000_000, 1_000_000)
STREET_CNY = Terms("street_cny.yaml", "CNY", "Asia/Shanghai", 1_368_979_200_000_000, 5_000_000, 2_500_000)
STREET_SEASONS = Terms(
    "street_seasons_gbp.yaml", "GBP", "Europe/London", 1_381_227_300_000_000, 2_000_000, 1_000_000
)
ALL_TERMS = (STREET_GBP, STREET_CNY, STREET_SEASONS)

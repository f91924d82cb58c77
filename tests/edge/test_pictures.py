"""What meters tell beside their register."""

from __future__ import annotations

from typing import Any

from edge.rig import run


def test_what_a_busy_meter_did_not_tell_is_asked_again_ever_less_often() -> None:
    from fairwatt.drivers.errors import MeterRefused
    from fairwatt.edge.pictures import Pictures

    class Point:
        """Only what `_ask` looks at."""

        number = 7

        def __init__(self) -> None:
            self.bus, self.asked, self.refuses = self, 0, 3

        async def ask(self, _: Any) -> str:
            self.asked += 1
            if self.asked <= self.refuses:
                raise MeterRefused(number="7", reason="it is busy")
            return "told"

    async def story() -> None:
        point: Any = Point()
        pictures = Pictures(every=1)
        heard = [await pictures._ask(point, "measurements", point) for _ in range(16)]
        # Left out once, three and seven times after the first, second and third refusal.
        assert [n for n, said in enumerate(heard) if said] == [14, 15]
        assert point.asked == 5

    run(story())

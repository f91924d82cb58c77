"""A small building with something dangerous in it, of its own: other tests count on a quiet one."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.wire.frames import Event
from fairwatt.wire.records import Reading
from web.scene import MINUTE_US, NOW_US, Scene

HOT: Final = 3
OVERLOADED: Final = 4
COVER: Final = 5
OVER: Final = 6
"""Places in the list of homes."""
RAISED: Final[tuple[tuple[int, int, str, dict[str, int]], ...]] = (
    (COVER, 70, "cover_open", {"count": 3, "before": 2}),
    (OVER, 50, "overload", {"power_w": 7_420, "limit_w": 6_600}),
    (HOT, 9, "terminal_temperature", {"temperature_dc": 912, "limit_dc": 850}),
    (OVERLOADED, 7, "overload", {"power_w": 9_180, "limit_w": 6_600}),
)


def dangerous() -> Scene:
    """An overload that is held and one that is over, a cover that was opened, a terminal that glows."""
    scene = Scene(floors=1, columns=8)
    scene.live()
    for n, minutes, code, measured in RAISED:
        tell(scene, "alarm_raised", n, minutes, reason=code, severity="danger", **measured)
    tell(scene, "safety_cut", HOT, 8, reason="terminal_temperature", until_us=None, relay=1)
    tell(scene, "safety_cut", OVERLOADED, 6, reason="overload", until_us=NOW_US + 4 * MINUTE_US, relay=1)
    tell(scene, "alarm_cleared", OVER, 30, reason="overload", severity="danger", power_w=900, limit_w=6_600)
    dark = [scene.homes[HOT], scene.homes[OVERLOADED]]
    scene.open_relays.update(dark)
    scene.post(scene.readings(*(_shown(scene, meter) for meter in dark)), now_us=NOW_US)
    return scene


def tell(scene: Scene, code: str, n: int, minutes_ago: int, **detail: Any) -> None:
    """Let the gateway tell one event of the n-th home."""
    event = Event(code, NOW_US - minutes_ago * MINUTE_US, scene.homes[n], detail)
    scene.post(scene.event(event, clock_us=NOW_US), now_us=NOW_US)


def _shown(scene: Scene, meter: int) -> Reading:
    at_us, register_wh = NOW_US - 3 * MINUTE_US, scene.registers[meter]
    return Reading(meter=meter, at_us=at_us, total_wh=register_wh, power_w=0, voltage_dv=2_310, relay=0)

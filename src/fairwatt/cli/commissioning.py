"""`fairwatt edge scan|map|pulse`: from a bus of unknown meters to rooms whose meters are proven."""

import typer

from .mapping import rooms
from .pulsing import pulse
from .scanning import scan


def add_to(app: typer.Typer) -> None:
    """Put these commands beside the other ones of the gateway."""
    app.command("scan")(scan)
    app.command("map")(rooms)
    app.command("pulse")(pulse)

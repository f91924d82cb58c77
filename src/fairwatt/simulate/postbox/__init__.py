"""Where messages arrive in a simulation: a mail server, SMS providers, a push service, and a page that shows it all."""

from fairwatt.simulate.postbox.box import Postbox

__all__ = ["Postbox"]

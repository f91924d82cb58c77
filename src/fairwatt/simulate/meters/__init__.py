"""Virtual meters on virtual buses: real frames over real sockets, with faults one can order."""

from .bus import Dlt645Bus
from .dtu import SimDtu
from .faults import Fault, FaultKind, FaultPlan
from .load import SimPhase
from .meter import Emitted, SimMeter
from .serial_port import SerialPort
from .wallet import SimWallet

__all__ = [
    "Dlt645Bus",
    "Emitted",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "SerialPort",
    "SimDtu",
    "SimMeter",
    "SimPhase",
    "SimWallet",
]

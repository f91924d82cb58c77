"""Every table, by what it is about."""

from fairwatt.store.models.corrections import Correction, Rerating, TariffCorrection
from fairwatt.store.models.intervals import (
    EstimateApproval,
    IntervalDefect,
    IntervalImport,
    IntervalRaw,
    IntervalValue,
    MeterCertificate,
    MeterCheck,
)
from fairwatt.store.models.ledger import (
    Event,
    Fact,
    GatewayHead,
    Journal,
    Line,
    Outbox,
    Quarantine,
    RegisterHead,
    Shard,
    UseDay,
    WalletHead,
)
from fairwatt.store.models.metering import Gateway, Installation, Meter, PaymentIntent, Tenancy, Wallet
from fairwatt.store.models.people import Organisation, Role, User
from fairwatt.store.models.places import Book, Site, Unit
from fairwatt.store.models.pricing import Policy, TariffPlan, TariffPublication

__all__ = [
    "Book",
    "Correction",
    "EstimateApproval",
    "Event",
    "Fact",
    "Gateway",
    "GatewayHead",
    "Installation",
    "IntervalDefect",
    "IntervalImport",
    "IntervalRaw",
    "IntervalValue",
    "Journal",
    "Line",
    "Meter",
    "MeterCertificate",
    "MeterCheck",
    "Organisation",
    "Outbox",
    "PaymentIntent",
    "Policy",
    "Quarantine",
    "RegisterHead",
    "Rerating",
    "Role",
    "Shard",
    "Site",
    "TariffCorrection",
    "TariffPlan",
    "TariffPublication",
    "Tenancy",
    "Unit",
    "UseDay",
    "User",
    "Wallet",
    "WalletHead",
]

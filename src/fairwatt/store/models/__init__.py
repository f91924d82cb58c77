"""Every table, by what it is about."""

from fairwatt.store.models.corrections import Correction, Rerating, TariffCorrection
from fairwatt.store.models.disputes import Dispute, DisputeEntry
from fairwatt.store.models.intervals import (
    EstimateApproval,
    IntervalDefect,
    IntervalImport,
    IntervalRaw,
    IntervalValue,
    MeterCertificate,
    MeterCheck,
)
from fairwatt.store.models.keeping import OpeningEntry, PeriodClose, SupplierBill, TrustStatement
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
    "Dispute",
    "DisputeEntry",
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
    "OpeningEntry",
    "Organisation",
    "Outbox",
    "PaymentIntent",
    "PeriodClose",
    "Policy",
    "Quarantine",
    "RegisterHead",
    "Rerating",
    "Role",
    "Shard",
    "Site",
    "SupplierBill",
    "TariffCorrection",
    "TariffPlan",
    "TariffPublication",
    "Tenancy",
    "TrustStatement",
    "Unit",
    "UseDay",
    "User",
    "Wallet",
    "WalletHead",
]

"""Counters of the poster, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from fairwatt.flows.posting.planning import BatchResult


class Metrics:
    """What the poster counts; `registry` is what an exporter serves."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._frames = Counter("fairwatt_frames", "Frames taken from the log", registry=self.registry)
        self._readings = Counter(
            "fairwatt_readings", "Readings by what became of them", ["fate"], registry=self.registry
        )
        self._facts = Counter("fairwatt_facts", "Facts answered", registry=self.registry)
        self._quarantine = Counter(
            "fairwatt_quarantined", "Items in quarantine by code", ["code"], registry=self.registry
        )
        self._condemned = Counter(
            "fairwatt_condemned_frames", "Frames that stopped a batch", registry=self.registry
        )
        self._batch = Gauge(
            "fairwatt_last_batch", "Number of the last committed batch", registry=self.registry
        )

    def condemn(self) -> None:
        """Count a frame that stopped a batch and goes to quarantine whole."""
        self._condemned.inc()

    def count(self, result: BatchResult, *, frames: int) -> None:
        """Add a committed batch."""
        self._frames.inc(frames)
        self._facts.inc(result.facts)
        self._batch.set(result.batch)
        for fate, number in (
            ("charged", result.readings),
            ("duplicate", result.duplicates),
            ("late", result.late),
        ):
            self._readings.labels(fate).inc(number)
        for code, number in result.quarantined.items():
            self._quarantine.labels(code).inc(number)

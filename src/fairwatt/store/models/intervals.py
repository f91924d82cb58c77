"""Read models of the tables that sql/intervals.sql makes: interval values in versions, and the quality of meters.

Nothing here is written through the ORM, and nothing here moves a balance.
"""

from __future__ import annotations

from django.db import models


class IntervalImport(models.Model):
    """A file that was taken over for a meter: once, by whom, covering which span."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    meter = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=10)
    home = models.CharField(max_length=120)
    step_us = models.BigIntegerField()
    rows = models.IntegerField()
    from_us = models.BigIntegerField()
    to_us = models.BigIntegerField()
    author = models.BigIntegerField()
    at_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "interval_import"


class IntervalRaw(models.Model):
    """A row of a file as it was sent; never changed."""

    pk = models.CompositePrimaryKey("import_id", "row")
    import_id = models.BigIntegerField(db_column="import")
    row = models.IntegerField()
    book = models.IntegerField()
    at_us = models.BigIntegerField(null=True)
    wh = models.BigIntegerField(null=True)
    status = models.CharField(max_length=1)
    text = models.TextField()

    class Meta:
        managed = False
        db_table = "interval_raw"


class IntervalValue(models.Model):
    """What one interval is worth in one version: actual, estimated, substituted or edited, by which rule and whom."""

    pk = models.CompositePrimaryKey("meter", "at_us", "version")
    meter = models.BigIntegerField()
    at_us = models.BigIntegerField()
    version = models.IntegerField()
    book = models.IntegerField()
    minutes = models.SmallIntegerField()
    wh = models.BigIntegerField()
    status = models.CharField(max_length=1)
    rule = models.CharField(max_length=40)
    import_id = models.BigIntegerField(db_column="import", null=True)
    author = models.BigIntegerField(null=True)
    reason = models.TextField()
    made_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "interval_value"


class IntervalDefect(models.Model):
    """One thing a rule found, where, and what was done about it."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    meter = models.BigIntegerField()
    import_id = models.BigIntegerField(db_column="import", null=True)
    rule = models.CharField(max_length=40)
    effect = models.CharField(max_length=12)
    at_us = models.BigIntegerField()
    end_us = models.BigIntegerField()
    row = models.IntegerField()
    detail = models.TextField()
    seen_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "interval_defect"


class MeterCertificate(models.Model):
    """A meter's accuracy class and the paper that says so; the newest is in force."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    meter = models.BigIntegerField()
    accuracy_class = models.CharField(max_length=10, db_column="class")
    number = models.CharField(max_length=80)
    authority = models.CharField(max_length=120)
    issued_on = models.DateField()
    expires_on = models.DateField()
    author = models.BigIntegerField()
    made_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "meter_certificate"


class MeterCheck(models.Model):
    """A check-meter test: what reference and tested meter counted, the error in per mille, exact, the verdict."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    meter = models.BigIntegerField()
    tested_us = models.BigIntegerField()
    reference = models.CharField(max_length=80)
    reference_wh = models.BigIntegerField()
    tested_wh = models.BigIntegerField()
    error_num = models.BigIntegerField()
    error_den = models.BigIntegerField()
    limit_per_mille = models.IntegerField()
    limit_rule = models.CharField(max_length=40)
    verdict = models.CharField(max_length=10)
    evidence = models.TextField()
    author = models.BigIntegerField()
    made_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "meter_check"


class EstimateApproval(models.Model):
    """A person's word that a dead meter's estimate is charged: which installation, which span, how much, why."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    meter = models.BigIntegerField()
    installation = models.BigIntegerField()
    from_us = models.BigIntegerField()
    to_us = models.BigIntegerField()
    from_wh = models.BigIntegerField()
    wh = models.BigIntegerField()
    method = models.CharField(max_length=40)
    reason = models.TextField()
    author = models.BigIntegerField()
    made_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "estimate_approval"

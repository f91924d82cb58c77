"""Estimates that may be approved again after a refusal; two people behind a tariff correction, also for the database."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "money.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0012_lean_lines")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

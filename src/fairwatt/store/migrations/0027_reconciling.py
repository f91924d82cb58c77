"""Providers' bills of a day, and the days held against them."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "reconciling.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0026_refunds")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

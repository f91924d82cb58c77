"""Invoices: who sells, to whom, what was invoiced, and every document by its number."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "invoices.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0034_people")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

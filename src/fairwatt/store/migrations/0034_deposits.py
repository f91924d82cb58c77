"""Deposits of residents, beside their credit."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "deposits.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0033_lets")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

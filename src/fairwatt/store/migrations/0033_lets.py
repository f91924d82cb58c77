"""Booths, seasonal merchants and short lets, and circuits that are never switched off."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "lets.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0032_contacts")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

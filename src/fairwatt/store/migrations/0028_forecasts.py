"""What was forecast for wallets, and the newest outlook of each."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "forecasts.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0027_reconciling")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

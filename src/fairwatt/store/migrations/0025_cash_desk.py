"""The cash desk: desks, shifts, takings, receipts without gaps, and what takes two people."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "cash_desk.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0023_credit_entries")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

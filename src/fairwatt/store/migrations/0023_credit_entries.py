"""What homes owe beside their energy: emergency credit and debts."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "credit_entries.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0020_merchants")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

"""Moving from postpaid: who still pays after use, registers read by people, waves of homes that become prepaid."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "postpaid.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0035_invoices")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

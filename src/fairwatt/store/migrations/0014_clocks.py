"""What was measured of the gateways' clocks, so that a charge can be asked about it."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "clocks.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0013_money")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

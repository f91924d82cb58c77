"""Emergency restore codes: which were made, the answer on its way, the policy."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "restore_codes.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0016_telemetry")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

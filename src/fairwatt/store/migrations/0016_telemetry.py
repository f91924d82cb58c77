"""Second by second, beside the ledger; and what meters are to be like, besides supply."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0015_alarms")]

    operations = [
        migrations.RunSQL((SQL / "pushes.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "telemetry.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

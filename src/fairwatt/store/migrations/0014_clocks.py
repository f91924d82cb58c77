"""What was measured of the gateways' clocks, so that a charge can be asked about it; closings of windows by their answers."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "clocks.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0013_money")]

    operations = [
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
        # What the poster answered counts, not what whoever asked wrote.
        migrations.RunSQL(
            "DROP INDEX fact_window_close; CREATE INDEX fact_window_settled ON fact "
            "(book, (result->>'installation'), (result->>'window_us')) WHERE kind = 'window_close';",
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]

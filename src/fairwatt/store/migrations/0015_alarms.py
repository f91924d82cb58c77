"""The feeder of a meter, for staggered closing; alarms and protective cuts found quickly."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "alarms.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0014_clocks")]

    operations = [
        migrations.AddField(
            model_name="meter",
            name="feeder",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

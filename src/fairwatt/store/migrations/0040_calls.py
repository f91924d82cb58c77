"""Calling the poster and the collector after the commit."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0039_unasked")]

    operations = [
        migrations.RunSQL((FOLDER / "calls.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

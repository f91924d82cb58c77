"""Automatic top-ups: what residents agreed to, and every step that came of it."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0036_postpaid")]

    operations = [
        migrations.RunSQL((FOLDER / "auto_top_up.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

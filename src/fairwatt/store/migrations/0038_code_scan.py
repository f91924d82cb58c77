"""Payers' codes scanned at the window."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0037_auto_top_up")]

    operations = [
        migrations.RunSQL((FOLDER / "code_scan.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

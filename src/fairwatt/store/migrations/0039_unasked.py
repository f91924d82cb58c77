"""Payments that payers begin at their provider."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0038_code_scan")]

    operations = [
        migrations.RunSQL((FOLDER / "unasked.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

"""Refunds that were paid and came back."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0041_carried_rules")]

    operations = [
        migrations.RunSQL((FOLDER / "returned_refunds.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

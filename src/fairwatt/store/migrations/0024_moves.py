"""Homes that change hands, meters that are exchanged, and what becomes of the money of who left."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "moves.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0017_restore_codes")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

"""How people are reached, what they chose, and how many messages may be asked for."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "contacts.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0031_notices")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

"""What homes are held to: credit documents, protections, weather, supply kept on; and who agreed to it."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "credit.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0018_commissioning")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

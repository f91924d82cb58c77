"""What people must be told, in the transaction that raises it, and how the telling went."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "notices.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0028_forecasts")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

"""What fees and shared costs came to, and that nothing of it can be changed."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql" / "costs.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0005_costs")]

    operations = [migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop)]

"""What protects people goes along to another home."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0040_calls")]

    operations = [
        migrations.RunSQL((FOLDER / "carried_rules.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

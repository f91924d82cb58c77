"""What the prices of a home depend on: parameters of accounts, with the day each holds from."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "accounts.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0008_disputes")]

    operations = [
        migrations.CreateModel(
            name="AccountParameter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("book", models.IntegerField()),
                ("wallet", models.BigIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("from_us", models.BigIntegerField()),
                ("value_milli", models.BigIntegerField()),
                ("created_us", models.BigIntegerField()),
                ("author", models.CharField(max_length=150)),
                (
                    "installation",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="store.installation"),
                ),
            ],
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

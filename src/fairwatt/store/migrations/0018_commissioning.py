"""Commissioning: transformers of an installation, the checklist with its pictures, alarms set from the cloud."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "commissioning.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0017_restore_codes")]

    operations = [
        migrations.AddField("installation", "ct_primary", models.IntegerField(db_default=0)),
        migrations.AddField("installation", "ct_secondary", models.IntegerField(db_default=0)),
        migrations.AddField(
            "installation", "ct_in_register", models.BooleanField(default=False, db_default=False)
        ),
        migrations.RunSQL(
            "UPDATE store_installation SET ct_primary = 1, ct_secondary = 1",
            reverse_sql=migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            "installation",
            models.CheckConstraint(
                condition=models.Q(
                    ("ct_primary__gte", models.F("ct_secondary")),
                    (
                        "ct_primary__lte",
                        models.expressions.CombinedExpression(
                            models.F("ct_secondary"), "*", models.Value(2000)
                        ),
                    ),
                    ("ct_secondary__gte", 1),
                ),
                name="transformers_step_down",
            ),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

"""Deposits of residents beside their credit; several people of one home, and how they are invited."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0033_lets")]

    operations = [
        migrations.RunSQL((SQL / "deposits.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.AddField(
            model_name="tenancy",
            name="role",
            field=models.CharField(
                choices=[("owner", "Owner"), ("member", "Member")],
                db_default="owner",
                default="owner",
                max_length=6,
            ),
        ),
        migrations.AddConstraint(
            model_name="tenancy",
            constraint=models.CheckConstraint(
                condition=models.Q(role__in=["owner", "member"]), name="tenancy_role_is_known"
            ),
        ),
        migrations.RunSQL((SQL / "household.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

"""What the poster refused of a dead meter's estimate may be approved again; what it charged moved the register already."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0012_lean_lines")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE estimate_approval DROP CONSTRAINT estimate_approval_installation_from_us_key; "
            "CREATE INDEX estimate_approval_register ON estimate_approval (installation, from_us)",
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]

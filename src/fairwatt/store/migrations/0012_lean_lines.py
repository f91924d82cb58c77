"""Lines without what they need not say: what was held back (nothing ever was) and how many prices an interval met."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0011_accounts")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE line DROP COLUMN IF EXISTS held_micro, DROP COLUMN IF EXISTS estimated;"
            "ALTER TABLE wallet_head DROP COLUMN IF EXISTS held_micro;",
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[
                migrations.RemoveField("line", "held_micro"),
                migrations.RemoveField("line", "estimated"),
                migrations.RemoveField("wallethead", "held_micro"),
            ],
        ),
    ]

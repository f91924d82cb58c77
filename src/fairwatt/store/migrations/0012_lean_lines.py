"""Lines without what they need not say (what was held back: nothing ever was; how many prices an interval met),
and one mark for all caches."""

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
        # One mark for all caches: the days' own, which is never ahead of the heads'.
        migrations.RunSQL(
            """
            DO $$ BEGIN
                IF to_regclass('use_mark') IS NOT NULL THEN
                    ALTER TABLE use_mark RENAME TO cache_mark;
                    ALTER TABLE shard DROP COLUMN cache_batch;
                    GRANT SELECT ON cache_mark TO fairwatt_web, fairwatt_auditor;
                END IF;
            END $$
            """,
            reverse_sql=migrations.RunSQL.noop,
            state_operations=[migrations.RemoveField("shard", "cache_batch")],
        ),
    ]

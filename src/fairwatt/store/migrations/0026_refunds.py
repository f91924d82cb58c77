"""Refunds and payments taken back: what was paid and what of it went back, with two people behind every refund."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "refunds.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0025_cash_desk")]

    operations = [
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.CreateModel(
            name='Paid',
            fields=[
                ('fact', models.BigIntegerField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('wallet', models.BigIntegerField()),
                ('intent', models.BigIntegerField()),
                ('our_ref', models.CharField(max_length=40)),
                ('provider', models.CharField(max_length=20)),
                ('account', models.BigIntegerField(null=True)),
                ('provider_ref', models.CharField(max_length=160)),
                ('currency', models.CharField(max_length=3)),
                ('paid_minor', models.BigIntegerField()),
                ('open_minor', models.BigIntegerField()),
                ('done_minor', models.BigIntegerField()),
                ('lost_minor', models.BigIntegerField()),
                ('credited_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'paid',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('wallet', models.BigIntegerField()),
                ('refund_ref', models.CharField(max_length=200)),
                ('origin', models.CharField(max_length=10)),
                ('way', models.CharField(max_length=10)),
                ('payment', models.BigIntegerField(null=True)),
                ('account', models.BigIntegerField(null=True)),
                ('wish', models.BigIntegerField(null=True)),
                ('asked_minor', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('reason', models.CharField(max_length=300)),
                ('author', models.BigIntegerField(null=True)),
                ('asked_us', models.BigIntegerField()),
                ('state', models.CharField(max_length=10)),
                ('amount_minor', models.BigIntegerField()),
                ('code', models.CharField(max_length=60)),
                ('moved_us', models.BigIntegerField()),
                ('provider_refund', models.CharField(max_length=160)),
                ('paid_by', models.CharField(max_length=10)),
                ('ask_us', models.BigIntegerField(null=True)),
                ('asks', models.IntegerField()),
                ('troubles', models.IntegerField()),
                ('trouble', models.CharField(max_length=40)),
            ],
            options={
                'db_table': 'refund',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='RefundAnswer',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('refund', models.BigIntegerField()),
                ('book', models.IntegerField()),
                ('wallet', models.BigIntegerField()),
                ('answer', models.CharField(max_length=10)),
                ('author', models.BigIntegerField()),
                ('words', models.CharField(max_length=300)),
                ('at_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'refund_answer',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Chargeback',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('wallet', models.BigIntegerField()),
                ('payment', models.BigIntegerField()),
                ('account', models.BigIntegerField()),
                ('provider_ref', models.CharField(max_length=160)),
                ('amount_minor', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('state', models.CharField(max_length=4)),
                ('taken', models.BooleanField()),
                ('told_us', models.BigIntegerField()),
                ('moved_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'chargeback',
                'managed': False,
            },
        ),
    ]

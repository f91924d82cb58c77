"""Homes that change hands, meters that are exchanged, and what becomes of the money of who left."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "moves.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0022_credit")]

    operations = [
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.CreateModel(
            name='AccountEnd',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('fact', models.BigIntegerField()),
                ('wallet', models.BigIntegerField()),
                ('at_us', models.BigIntegerField()),
                ('settle', models.CharField(max_length=10)),
                ('to_wallet', models.BigIntegerField(null=True)),
                ('author', models.BigIntegerField()),
                ('made_us', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
            ],
            options={
                'db_table': 'account_end',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Changeover',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('fact', models.BigIntegerField()),
                ('kind', models.CharField(max_length=10)),
                ('unit', models.BigIntegerField()),
                ('at_us', models.BigIntegerField()),
                ('old_installation', models.BigIntegerField()),
                ('new_installation', models.BigIntegerField(null=True)),
                ('old_wallet', models.BigIntegerField()),
                ('new_wallet', models.BigIntegerField(null=True)),
                ('register_wh', models.BigIntegerField()),
                ('counter_wh', models.BigIntegerField()),
                ('window_us', models.BigIntegerField()),
                ('carry_nano', models.IntegerField()),
                ('carry_tax', models.IntegerField()),
                ('basis', models.CharField(max_length=10)),
                ('author', models.BigIntegerField()),
                ('reason', models.CharField(max_length=300)),
                ('made_us', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
            ],
            options={
                'db_table': 'changeover',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='ChangeoverKnown',
            fields=[
                ('changeover', models.BigIntegerField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('basis', models.CharField(max_length=10)),
                ('register_wh', models.BigIntegerField()),
                ('known_us', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
            ],
            options={
                'db_table': 'changeover_known',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='RefundWish',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('wallet', models.BigIntegerField()),
                ('amount_micro', models.BigIntegerField()),
                ('way', models.CharField(max_length=10)),
                ('fact', models.BigIntegerField()),
                ('made_us', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
            ],
            options={
                'db_table': 'refund_wish',
                'managed': False,
            },
        ),
    ]

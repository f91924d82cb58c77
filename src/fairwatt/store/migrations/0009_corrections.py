"""What was charged anew, and tariffs to be corrected in the past."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "corrections.sql"


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0004_intervals'),
    ]

    operations = [
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('pk', models.CompositePrimaryKey('book', 'ref', 'ts_us', blank=True, editable=False, primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('ref', models.BigIntegerField()),
                ('ts_us', models.BigIntegerField()),
                ('wallet', models.BigIntegerField()),
                ('seq', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
                ('fact', models.BigIntegerField()),
                ('day_us', models.BigIntegerField()),
                ('first_seq', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('from_us', models.BigIntegerField()),
                ('until_us', models.BigIntegerField()),
                ('old_exact', models.DecimalField(decimal_places=0, max_digits=40)),
                ('new_exact', models.DecimalField(decimal_places=0, max_digits=40)),
                ('component', models.CharField(max_length=10)),
            ],
            options={
                'db_table': 'correction',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Rerating',
            fields=[
                ('pk', models.CompositePrimaryKey('installation', 'batch', 'fact', blank=True, editable=False, primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('installation', models.BigIntegerField()),
                ('batch', models.BigIntegerField()),
                ('fact', models.BigIntegerField()),
                ('wallet', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('from_us', models.BigIntegerField()),
                ('until_us', models.BigIntegerField()),
                ('counted_us', models.BigIntegerField()),
                ('register_wh', models.BigIntegerField()),
                ('counter_wh', models.BigIntegerField()),
                ('window_us', models.BigIntegerField()),
                ('publication', models.BigIntegerField()),
                ('carry_tax', models.IntegerField()),
                ('carry_nano', models.SmallIntegerField()),
                ('readings', models.IntegerField()),
                ('cause', models.CharField(max_length=10)),
                ('author', models.CharField(max_length=150)),
                ('reason', models.CharField(max_length=300)),
            ],
            options={
                'db_table': 'rerating',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='TariffCorrection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('author', models.CharField(max_length=150)),
                ('reason', models.CharField(max_length=300)),
                ('placed_us', models.BigIntegerField()),
                ('preview', models.JSONField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.tariffplan')),
                ('replaces', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='store.tariffpublication')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='tariffpublication',
            name='correction',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='publication', to='store.tariffcorrection'),
        ),
    ]

"""Interval values in versions, findings, certificates, check-meter tests, approvals of dead meters' estimates."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "intervals.sql"


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0003_gateway_key_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='EstimateApproval',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('meter', models.BigIntegerField()),
                ('installation', models.BigIntegerField()),
                ('from_us', models.BigIntegerField()),
                ('to_us', models.BigIntegerField()),
                ('from_wh', models.BigIntegerField()),
                ('wh', models.BigIntegerField()),
                ('method', models.CharField(max_length=40)),
                ('reason', models.TextField()),
                ('author', models.BigIntegerField()),
                ('made_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'estimate_approval',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='IntervalDefect',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('meter', models.BigIntegerField()),
                ('import_id', models.BigIntegerField(db_column='import', null=True)),
                ('rule', models.CharField(max_length=40)),
                ('effect', models.CharField(max_length=12)),
                ('at_us', models.BigIntegerField()),
                ('end_us', models.BigIntegerField()),
                ('row', models.IntegerField()),
                ('detail', models.TextField()),
                ('seen_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'interval_defect',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='IntervalImport',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('meter', models.BigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('name', models.CharField(max_length=200)),
                ('format', models.CharField(max_length=10)),
                ('home', models.CharField(max_length=120)),
                ('step_us', models.BigIntegerField()),
                ('rows', models.IntegerField()),
                ('from_us', models.BigIntegerField()),
                ('to_us', models.BigIntegerField()),
                ('author', models.BigIntegerField()),
                ('at_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'interval_import',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='IntervalRaw',
            fields=[
                ('pk', models.CompositePrimaryKey('import_id', 'row', blank=True, editable=False, primary_key=True, serialize=False)),
                ('import_id', models.BigIntegerField(db_column='import')),
                ('row', models.IntegerField()),
                ('book', models.IntegerField()),
                ('at_us', models.BigIntegerField(null=True)),
                ('wh', models.BigIntegerField(null=True)),
                ('status', models.CharField(max_length=1)),
                ('text', models.TextField()),
            ],
            options={
                'db_table': 'interval_raw',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='IntervalValue',
            fields=[
                ('pk', models.CompositePrimaryKey('meter', 'at_us', 'version', blank=True, editable=False, primary_key=True, serialize=False)),
                ('meter', models.BigIntegerField()),
                ('at_us', models.BigIntegerField()),
                ('version', models.IntegerField()),
                ('book', models.IntegerField()),
                ('minutes', models.SmallIntegerField()),
                ('wh', models.BigIntegerField()),
                ('status', models.CharField(max_length=1)),
                ('rule', models.CharField(max_length=40)),
                ('import_id', models.BigIntegerField(db_column='import', null=True)),
                ('author', models.BigIntegerField(null=True)),
                ('reason', models.TextField()),
                ('made_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'interval_value',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='MeterCertificate',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('meter', models.BigIntegerField()),
                ('accuracy_class', models.CharField(db_column='class', max_length=10)),
                ('number', models.CharField(max_length=80)),
                ('authority', models.CharField(max_length=120)),
                ('issued_on', models.DateField()),
                ('expires_on', models.DateField()),
                ('author', models.BigIntegerField()),
                ('made_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'meter_certificate',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='MeterCheck',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('book', models.IntegerField()),
                ('meter', models.BigIntegerField()),
                ('tested_us', models.BigIntegerField()),
                ('reference', models.CharField(max_length=80)),
                ('reference_wh', models.BigIntegerField()),
                ('tested_wh', models.BigIntegerField()),
                ('error_num', models.BigIntegerField()),
                ('error_den', models.BigIntegerField()),
                ('limit_per_mille', models.IntegerField()),
                ('limit_rule', models.CharField(max_length=40)),
                ('verdict', models.CharField(max_length=10)),
                ('evidence', models.TextField()),
                ('author', models.BigIntegerField()),
                ('made_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'meter_check',
                'managed': False,
            },
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

"""Closed months, suppliers' bills, bank statements, opening balances."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "keeping.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0006_cost_entries")]

    operations = [
        migrations.CreateModel(
            name='OpeningEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_micro', models.BigIntegerField()),
                ('reference', models.CharField(max_length=120)),
                ('entered_us', models.BigIntegerField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('wallet', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to='store.wallet')),
            ],
        ),
        migrations.CreateModel(
            name='PeriodClose',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.CharField(max_length=7)),
                ('start_us', models.BigIntegerField()),
                ('end_us', models.BigIntegerField()),
                ('first_batch', models.BigIntegerField()),
                ('last_batch', models.BigIntegerField()),
                ('as_of_batch', models.BigIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('closed_us', models.BigIntegerField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('closed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='SupplierBill',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('supplier', models.CharField(max_length=120)),
                ('number', models.CharField(max_length=60)),
                ('start_us', models.BigIntegerField()),
                ('end_us', models.BigIntegerField()),
                ('energy_wh', models.BigIntegerField()),
                ('net_micro', models.BigIntegerField()),
                ('tax_micro', models.BigIntegerField()),
                ('cap_micro_per_kwh', models.BigIntegerField(blank=True, null=True)),
                ('cap_with_tax', models.BooleanField(default=True)),
                ('cap_basis', models.CharField(blank=True, max_length=200)),
                ('entered_us', models.BigIntegerField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('entered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('replaces', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='store.supplierbill')),
                ('site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='store.site')),
            ],
        ),
        migrations.CreateModel(
            name='TrustStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.CharField(max_length=60)),
                ('at_us', models.BigIntegerField()),
                ('balance_micro', models.BigIntegerField()),
                ('reference', models.CharField(max_length=120)),
                ('entered_us', models.BigIntegerField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('entered_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('replaces', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='store.truststatement')),
            ],
        ),
        migrations.AddConstraint(
            model_name='periodclose',
            constraint=models.UniqueConstraint(fields=('book', 'month'), name='a_month_closes_once'),
        ),
        migrations.AddConstraint(
            model_name='supplierbill',
            constraint=models.CheckConstraint(condition=models.Q(('end_us__gt', models.F('start_us')), ('energy_wh__gte', 0)), name='supplier_bill_has_a_period'),
        ),
        migrations.AddConstraint(
            model_name='supplierbill',
            constraint=models.UniqueConstraint(condition=models.Q(('replaces__isnull', True)), fields=('book', 'supplier', 'number'), name='supplier_bill_once'),
        ),
        migrations.AddConstraint(
            model_name='truststatement',
            constraint=models.UniqueConstraint(condition=models.Q(('replaces__isnull', True)), fields=('book', 'account', 'at_us'), name='trust_statement_once'),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

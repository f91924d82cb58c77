"""Merchant accounts per organisation, what is heard of payments, and what the collector asks."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models


SQL = Path(__file__).parent.parent / "sql" / "merchants.sql"


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0024_moves'),
    ]

    operations = [
        migrations.CreateModel(
            name='MerchantAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=20)),
                ('label', models.CharField(max_length=60)),
                ('token', models.CharField(max_length=40, unique=True)),
                ('created_us', models.BigIntegerField()),
                ('author', models.CharField(max_length=150)),
                ('organisation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.organisation')),
            ],
        ),
        migrations.CreateModel(
            name='MerchantConfirmation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_us', models.BigIntegerField()),
                ('author', models.CharField(max_length=150)),
            ],
        ),
        migrations.CreateModel(
            name='MerchantKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('settings', models.JSONField()),
                ('reading', models.BinaryField()),
                ('fingerprint', models.CharField(max_length=64)),
                ('created_us', models.BigIntegerField()),
                ('author', models.CharField(max_length=150)),
            ],
        ),
        migrations.CreateModel(
            name='MerchantOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('methods', models.JSONField()),
                ('created_us', models.BigIntegerField()),
                ('author', models.CharField(max_length=150)),
            ],
        ),
        migrations.CreateModel(
            name='PaymentEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('wallet', models.BigIntegerField()),
                ('kind', models.CharField(max_length=12)),
                ('state', models.CharField(max_length=12)),
                ('assurance', models.CharField(max_length=10)),
                ('event_id', models.CharField(max_length=160)),
                ('provider_ref', models.CharField(blank=True, max_length=160)),
                ('refund_ref', models.CharField(blank=True, max_length=80)),
                ('amount_minor', models.BigIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('occurred_us', models.BigIntegerField()),
                ('detail', models.CharField(blank=True, max_length=80)),
                ('raw_sha256', models.CharField(blank=True, max_length=64)),
                ('heard_us', models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='action',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='ask_us',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='asks',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='expires_us',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='language',
            field=models.CharField(db_default='en', default='en', max_length=10),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='method',
            field=models.CharField(db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='on_phone',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='payer',
            field=models.CharField(db_default='', default='', max_length=160),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='provider_order',
            field=models.CharField(db_default='', default='', max_length=160),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='return_url',
            field=models.CharField(db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='trouble',
            field=models.CharField(db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='troubles',
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='paymentintent',
            name='provider_ref',
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AlterField(
            model_name='paymentintent',
            name='state',
            field=models.CharField(choices=[('created', 'Created'), ('pending', 'Pending'), ('paid', 'Paid'), ('credited', 'Credited'), ('part_refunded', 'Refunded in part'), ('refunded', 'Refunded'), ('expired', 'Expired'), ('closed', 'Closed'), ('failed', 'Failed'), ('review', 'In review'), ('chargeback', 'Charged back')], default='created', max_length=16),
        ),
        migrations.CreateModel(
            name='MerchantHealth',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='store.merchantaccount')),
                ('available', models.BooleanField()),
                ('code', models.CharField(blank=True, max_length=40)),
                ('skew_s', models.IntegerField(null=True)),
                ('said_us', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='CallbackCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('code', models.CharField(max_length=40)),
                ('count', models.IntegerField()),
                ('last_us', models.BigIntegerField()),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.merchantaccount')),
            ],
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='store.merchantaccount'),
        ),
        migrations.AddIndex(
            model_name='paymentintent',
            index=models.Index(condition=models.Q(('ask_us__isnull', False)), fields=['ask_us'], name='intent_to_ask'),
        ),
        migrations.AddField(
            model_name='merchantkey',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.merchantaccount'),
        ),
        migrations.AddField(
            model_name='merchantconfirmation',
            name='key',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to='store.merchantkey'),
        ),
        migrations.AddField(
            model_name='merchantoffer',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.merchantaccount'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.merchantaccount'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='book',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book'),
        ),
        migrations.AddField(
            model_name='paymentevent',
            name='intent',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.paymentintent'),
        ),
        migrations.AddConstraint(
            model_name='callbackcount',
            constraint=models.UniqueConstraint(fields=('account', 'day', 'code'), name='callback_count_once'),
        ),
        migrations.AddIndex(
            model_name='paymentevent',
            index=models.Index(fields=['intent', 'id'], name='payment_event_intent'),
        ),
        migrations.AddConstraint(
            model_name='paymentevent',
            constraint=models.UniqueConstraint(fields=('account', 'kind', 'event_id', 'state', 'assurance'), name='payment_event_once'),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

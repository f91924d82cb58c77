"""Cases about a line, and everything said, shown and ruled in them."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql" / "disputes.sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0007_keeping")]

    operations = [
        migrations.CreateModel(
            name='Dispute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(unique=True)),
                ('line_seq', models.BigIntegerField()),
                ('line_ts_us', models.BigIntegerField()),
                ('line_ref', models.BigIntegerField()),
                ('line_kind', models.SmallIntegerField()),
                ('charged_micro', models.BigIntegerField()),
                ('reason', models.CharField(max_length=20)),
                ('words', models.TextField()),
                ('due_us', models.BigIntegerField()),
                ('opened_us', models.BigIntegerField()),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('wallet', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.wallet')),
            ],
        ),
        migrations.CreateModel(
            name='DisputeEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('message', 'Message'), ('evidence', 'Evidence'), ('ruling', 'Ruling'), ('approval', 'Approval'), ('refusal', 'Refusal')], max_length=10)),
                ('words', models.TextField(blank=True)),
                ('refund_micro', models.BigIntegerField(default=0)),
                ('file_name', models.CharField(blank=True, max_length=120)),
                ('media_type', models.CharField(blank=True, max_length=40)),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('content', models.BinaryField(default=b'')),
                ('at_us', models.BigIntegerField()),
                ('about', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='store.disputeentry')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('book', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.book')),
                ('dispute', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.dispute')),
                ('wallet', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='store.wallet')),
            ],
        ),
        migrations.AddConstraint(
            model_name='dispute',
            constraint=models.UniqueConstraint(fields=('wallet', 'line_seq'), name='one_case_per_line'),
        ),
        migrations.AddConstraint(
            model_name='disputeentry',
            constraint=models.CheckConstraint(condition=models.Q(('refund_micro__gte', 0)), name='a_ruling_takes_nothing'),
        ),
        migrations.AddConstraint(
            model_name='disputeentry',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ['approval', 'refusal'])), fields=('about',), name='a_ruling_is_answered_once'),
        ),
        migrations.RunSQL(SQL.read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

"""Moving from postpaid: who still pays after use, readings by hand, waves; and requests to the platform of e-fapiao."""

from pathlib import Path

from django.db import migrations

FOLDER = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("store", "0035_invoices")]

    operations = [
        migrations.RunSQL((FOLDER / "postpaid.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
        migrations.RunSQL((FOLDER / "efapiao.sql").read_text(), reverse_sql=migrations.RunSQL.noop),
    ]

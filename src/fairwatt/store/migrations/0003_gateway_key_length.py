"""A gateway's key is an Ed25519 key, or the row is refused: a slip at set-up must not reach the poster."""

from django.db import migrations, models
from django.db.models.functions import Length
from django.db.models.lookups import Exact


class Migration(migrations.Migration):
    dependencies = [("store", "0002_ledger")]

    operations = [
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.CheckConstraint(
                condition=Exact(Length("public_key"), 32), name="gateway_key_is_32_bytes_of_ed25519"
            ),
        )
    ]

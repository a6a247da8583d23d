"""An organization may have a limit of API calls of its own."""

from django.core.validators import MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0006_join_domains")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="max_calls_per_minute",
            field=models.PositiveIntegerField(
                blank=True, null=True, validators=[MinValueValidator(1)], verbose_name="most API calls a minute"
            ),
        ),
    ]

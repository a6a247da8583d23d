"""What an organization may use: members, storage, GPU hours a month."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="max_users",
            field=models.PositiveIntegerField(
                blank=True, null=True, validators=[MinValueValidator(1)], verbose_name="most members"
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="max_storage_gb",
            field=models.FloatField(
                blank=True,
                null=True,
                validators=[MinValueValidator(0), MaxValueValidator(1e9)],
                verbose_name="most storage (GB)",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="max_gpu_hours_per_month",
            field=models.FloatField(
                blank=True,
                null=True,
                validators=[MinValueValidator(0), MaxValueValidator(1e9)],
                verbose_name="most GPU hours a month",
            ),
        ),
    ]

"""Organizations may wait for their deletion."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0007_max_calls_per_minute")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="closure",
            field=models.CharField(
                blank=True,
                choices=[("", "Open"), ("closing", "Waiting for its deletion"), ("ending", "Being deleted")],
                default="",
                editable=False,
                max_length=10,
                verbose_name="deletion",
            ),
        ),
    ]

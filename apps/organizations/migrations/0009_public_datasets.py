"""Organizations may allow public datasets."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0008_closure"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="allows_public",
            field=models.BooleanField(default=False, verbose_name="public datasets allowed"),
        ),
    ]

"""Organizations may demand a second factor of their members."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0003_quotas")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="require_mfa",
            field=models.BooleanField(default=False, verbose_name="second factor demanded"),
        ),
    ]

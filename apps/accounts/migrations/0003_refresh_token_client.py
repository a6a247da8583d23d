"""A refresh token remembers who it was given to: address and program."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="refreshtoken",
            name="ip",
            field=models.GenericIPAddressField(null=True, verbose_name="address"),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="user_agent",
            field=models.CharField(blank=True, max_length=300, verbose_name="program"),
        ),
    ]

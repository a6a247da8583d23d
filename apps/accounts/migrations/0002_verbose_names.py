"""Every field has a name that can be translated."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="refreshtoken",
            name="digest",
            field=models.CharField(max_length=64, unique=True, verbose_name="digest"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="expires_at",
            field=models.DateTimeField(verbose_name="expires"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="family",
            field=models.UUIDField(verbose_name="family"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="organization_id",
            field=models.UUIDField(null=True, verbose_name="organization"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="revoked_at",
            field=models.DateTimeField(null=True, verbose_name="revoked"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="used_at",
            field=models.DateTimeField(null=True, verbose_name="used"),
        ),
        migrations.AlterField(
            model_name="refreshtoken",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="refresh_tokens",
                to=settings.AUTH_USER_MODEL,
                verbose_name="person",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="signup_company",
            field=models.CharField(blank=True, editable=False, max_length=120, verbose_name="company at sign-up"),
        ),
        migrations.AlterField(
            model_name="user",
            name="signup_division",
            field=models.CharField(blank=True, editable=False, max_length=120, verbose_name="division at sign-up"),
        ),
        migrations.AlterField(
            model_name="user",
            name="token_generation",
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name="generation of tokens"),
        ),
    ]

"""Every field has a name that can be translated."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_verbose_names"),
        ("organizations", "0002_verbose_names"),
        ("training", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="checkpoint",
            name="job",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="checkpoints",
                to="jobs.job",
                verbose_name="job",
            ),
        ),
        migrations.AlterField(
            model_name="checkpoint",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="organizations.organization",
                verbose_name="organization",
            ),
        ),
    ]

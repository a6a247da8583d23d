"""Every field has a name that can be translated."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resources", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="node",
            name="boot_id",
            field=models.CharField(blank=True, max_length=40, verbose_name="boot"),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="cpu_percent",
            field=models.FloatField(verbose_name="CPU, percent"),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="disk_used_percent",
            field=models.FloatField(verbose_name="disk, percent"),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="gpus",
            field=models.JSONField(default=list, verbose_name="GPUs"),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="memory_used_mb",
            field=models.PositiveIntegerField(verbose_name="memory used in MB"),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="node",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="samples",
                to="resources.node",
                verbose_name="node",
            ),
        ),
        migrations.AlterField(
            model_name="nodesample",
            name="time",
            field=models.DateTimeField(default=django.utils.timezone.now, verbose_name="time"),
        ),
    ]

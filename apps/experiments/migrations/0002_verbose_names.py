"""Every field has a name that can be translated."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("experiments", "0001_initial"),
        ("organizations", "0002_verbose_names"),
        ("projects", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="experiment",
            name="mirror_done",
            field=models.PositiveBigIntegerField(default=0, editable=False, verbose_name="messages that MLflow has"),
        ),
        migrations.AlterField(
            model_name="experiment",
            name="mirror_wanted",
            field=models.PositiveBigIntegerField(default=0, editable=False, verbose_name="messages sent to MLflow"),
        ),
        migrations.AlterField(
            model_name="run",
            name="mirror_done",
            field=models.PositiveBigIntegerField(default=0, editable=False, verbose_name="messages that MLflow has"),
        ),
        migrations.AlterField(
            model_name="run",
            name="mirror_wanted",
            field=models.PositiveBigIntegerField(default=0, editable=False, verbose_name="messages sent to MLflow"),
        ),
        migrations.AlterField(
            model_name="run",
            name="mlflow_artifact_uri",
            field=models.CharField(blank=True, editable=False, max_length=500, verbose_name="MLflow artifacts"),
        ),
        migrations.AlterField(
            model_name="run",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="organizations.organization",
                verbose_name="organization",
            ),
        ),
        migrations.AlterField(
            model_name="run",
            name="points_announced_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="points announced"),
        ),
        migrations.AlterField(
            model_name="run",
            name="points_cursor",
            field=models.JSONField(editable=False, null=True, verbose_name="points mirrored up to"),
        ),
        migrations.AlterField(
            model_name="run",
            name="points_series",
            field=models.JSONField(default=dict, editable=False, verbose_name="series mirrored"),
        ),
        migrations.AlterField(
            model_name="run",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="runs",
                to="projects.project",
                verbose_name="project",
            ),
        ),
    ]

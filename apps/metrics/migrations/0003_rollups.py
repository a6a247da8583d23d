"""Charts of whole trainings read rollups instead of points."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metrics", "0002_points_without_constraint")]

    operations = [
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "series_id",
                        "attempt_no",
                        "first_step",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("attempt_no", models.IntegerField(verbose_name="attempt")),
                ("first_step", models.BigIntegerField(verbose_name="first step")),
                ("last_step", models.BigIntegerField(verbose_name="last step")),
                (
                    "lowest",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(null=True), size=4, verbose_name="lowest"
                    ),
                ),
                (
                    "highest",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(null=True), size=4, verbose_name="highest"
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rollups",
                        to="metrics.series",
                        verbose_name="series",
                    ),
                ),
            ],
            options={"verbose_name": "rollup", "verbose_name_plural": "rollups"},
        ),
    ]

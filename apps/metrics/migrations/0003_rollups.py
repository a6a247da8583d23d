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
                ("attempt_no", models.IntegerField()),
                ("first_step", models.BigIntegerField()),
                ("last_step", models.BigIntegerField()),
                (
                    "lowest",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=4),
                ),
                (
                    "highest",
                    django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(null=True), size=4),
                ),
                (
                    "series",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rollups",
                        to="metrics.series",
                    ),
                ),
            ],
            options={"verbose_name": "rollup", "verbose_name_plural": "rollups"},
        ),
    ]

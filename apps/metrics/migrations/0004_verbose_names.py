"""Every field has a name that can be translated."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_verbose_names"),
        ("metrics", "0003_rollups"),
    ]

    operations = [
        migrations.AlterField(
            model_name="point",
            name="attempt_no",
            field=models.IntegerField(verbose_name="attempt"),
        ),
        migrations.AlterField(
            model_name="point",
            name="epoch",
            field=models.FloatField(null=True, verbose_name="epoch"),
        ),
        migrations.AlterField(
            model_name="point",
            name="series",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="points",
                to="metrics.series",
                verbose_name="series",
            ),
        ),
        migrations.AlterField(
            model_name="point",
            name="step",
            field=models.BigIntegerField(verbose_name="step"),
        ),
        migrations.AlterField(
            model_name="point",
            name="time",
            field=models.FloatField(verbose_name="time"),
        ),
        migrations.AlterField(
            model_name="point",
            name="value",
            field=models.FloatField(verbose_name="value"),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="attempt_no",
            field=models.IntegerField(verbose_name="attempt"),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="first_step",
            field=models.BigIntegerField(verbose_name="first step"),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="highest",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(null=True), size=4, verbose_name="highest"
            ),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="last_step",
            field=models.BigIntegerField(verbose_name="last step"),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="lowest",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(null=True), size=4, verbose_name="lowest"
            ),
        ),
        migrations.AlterField(
            model_name="rollup",
            name="series",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rollups",
                to="metrics.series",
                verbose_name="series",
            ),
        ),
        migrations.AlterField(
            model_name="series",
            name="job",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="series",
                to="jobs.job",
                verbose_name="job",
            ),
        ),
        migrations.AlterField(
            model_name="series",
            name="last_step",
            field=models.BigIntegerField(null=True, verbose_name="last step"),
        ),
    ]

"""Points keep their series' id without a constraint that looks every one of them up again."""

import django.db.models.deletion
from django.db import migrations, models
import django.contrib.postgres.fields


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial")]

    operations = [
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
    ]

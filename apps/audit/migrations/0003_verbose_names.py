"""Every field has a name that can be translated."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_append_only"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditseal",
            name="chain",
            field=models.UUIDField(verbose_name="chain"),
        ),
        migrations.AlterField(
            model_name="auditseal",
            name="event",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="seal",
                serialize=False,
                to="audit.auditevent",
                verbose_name="event",
            ),
        ),
        migrations.AlterField(
            model_name="auditseal",
            name="hash",
            field=models.CharField(max_length=64, verbose_name="hash"),
        ),
        migrations.AlterField(
            model_name="auditseal",
            name="previous_hash",
            field=models.CharField(max_length=64, verbose_name="previous hash"),
        ),
        migrations.AlterField(
            model_name="auditseal",
            name="seq",
            field=models.BigIntegerField(verbose_name="number"),
        ),
        migrations.AlterField(
            model_name="personkey",
            name="subject_id",
            field=models.UUIDField(primary_key=True, serialize=False, verbose_name="person"),
        ),
        migrations.AlterField(
            model_name="personkey",
            name="wrapped",
            field=models.BinaryField(verbose_name="encrypted key"),
        ),
    ]

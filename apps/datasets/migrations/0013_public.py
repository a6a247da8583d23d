"""Versions may be public."""

import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0012_terms"),
        ("organizations", "0009_public_datasets"),
        ("projects", "0003_archive"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="dataset",
            name="public_revisions",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(),
                blank=True,
                default=list,
                editable=False,
                size=None,
                verbose_name="public versions",
            ),
        ),
        migrations.AlterField(
            model_name="dataset",
            name="visibility",
            field=models.CharField(
                choices=[
                    ("private", "Only me"),
                    ("project", "The project"),
                    ("organization", "The organization"),
                    ("public", "Public"),
                ],
                default="project",
                max_length=20,
                verbose_name="visibility",
            ),
        ),
        migrations.AddIndex(
            model_name="dataset",
            index=models.Index(condition=models.Q(("visibility", "public")), fields=["-id"], name="dataset_public"),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("visibility", "public"), models.Q(("public_revisions", []), _negated=True)),
                    models.Q(models.Q(("visibility", "public"), _negated=True), ("public_revisions", [])),
                    _connector="OR",
                ),
                name="dataset_public_has_versions",
                violation_error_message="A public dataset has public versions, and no other has.",
            ),
        ),
    ]

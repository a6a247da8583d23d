"""Every field has a name that can be translated."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0001_initial"),
        ("organizations", "0002_verbose_names"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="annotationdocument",
            name="class_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(), default=list, size=None, verbose_name="classes"
            ),
        ),
        migrations.AlterField(
            model_name="annotationdocument",
            name="document",
            field=models.JSONField(verbose_name="document"),
        ),
        migrations.AlterField(
            model_name="annotationdocument",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="organizations.organization",
                verbose_name="organization",
            ),
        ),
        migrations.AlterField(
            model_name="annotationdocument",
            name="sha256",
            field=models.CharField(max_length=64, verbose_name="SHA-256"),
        ),
        migrations.AlterField(
            model_name="blob",
            name="created_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="created"
            ),
        ),
        migrations.AlterField(
            model_name="blob",
            name="is_sound",
            field=models.BooleanField(null=True, verbose_name="sound"),
        ),
        migrations.AlterField(
            model_name="blob",
            name="media_type",
            field=models.CharField(max_length=60, verbose_name="media type"),
        ),
        migrations.AlterField(
            model_name="blob",
            name="organization",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="organizations.organization",
                verbose_name="organization",
            ),
        ),
        migrations.AlterField(
            model_name="blob",
            name="sha256",
            field=models.CharField(max_length=64, verbose_name="SHA-256"),
        ),
        migrations.AlterField(
            model_name="blob",
            name="size",
            field=models.BigIntegerField(verbose_name="size"),
        ),
        migrations.AlterField(
            model_name="buckethash",
            name="bucket",
            field=models.PositiveSmallIntegerField(verbose_name="bucket"),
        ),
        migrations.AlterField(
            model_name="buckethash",
            name="dataset",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="datasets.dataset",
                verbose_name="dataset",
            ),
        ),
        migrations.AlterField(
            model_name="buckethash",
            name="digest",
            field=models.CharField(max_length=64, verbose_name="digest"),
        ),
        migrations.AlterField(
            model_name="buckethash",
            name="revision_no",
            field=models.PositiveIntegerField(verbose_name="revision"),
        ),
        migrations.AlterField(
            model_name="dataset",
            name="split_plan",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="datasets.splitplan",
                verbose_name="split",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="annotation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="datasets.annotationdocument",
                verbose_name="labels",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="blob",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="datasets.blob",
                verbose_name="blob",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="box_count",
            field=models.PositiveIntegerField(default=0, verbose_name="boxes"),
        ),
        migrations.AlterField(
            model_name="entry",
            name="class_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(), default=list, size=None, verbose_name="classes"
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="dataset",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="datasets.dataset",
                verbose_name="dataset",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="from_revision",
            field=models.PositiveIntegerField(verbose_name="from revision"),
        ),
        migrations.AlterField(
            model_name="entry",
            name="height",
            field=models.PositiveIntegerField(null=True, verbose_name="height"),
        ),
        migrations.AlterField(
            model_name="entry",
            name="is_image",
            field=models.BooleanField(verbose_name="image"),
        ),
        migrations.AlterField(
            model_name="entry",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="entries",
                to="datasets.item",
                verbose_name="item",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="split",
            field=models.CharField(
                blank=True,
                choices=[("train", "Training"), ("val", "Validation"), ("test", "Test")],
                max_length=5,
                verbose_name="split",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="to_revision",
            field=models.PositiveIntegerField(null=True, verbose_name="to revision"),
        ),
        migrations.AlterField(
            model_name="entry",
            name="width",
            field=models.PositiveIntegerField(null=True, verbose_name="width"),
        ),
        migrations.AlterField(
            model_name="item",
            name="bucket",
            field=models.PositiveSmallIntegerField(verbose_name="bucket"),
        ),
        migrations.AlterField(
            model_name="item",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="datasets.dataset",
                verbose_name="dataset",
            ),
        ),
        migrations.AlterField(
            model_name="item",
            name="path",
            field=models.CharField(db_collation="C", max_length=1024, verbose_name="path"),
        ),
        migrations.AlterField(
            model_name="revision",
            name="classes",
            field=models.JSONField(default=list, verbose_name="classes"),
        ),
        migrations.AlterField(
            model_name="revision",
            name="counts",
            field=models.JSONField(default=dict, verbose_name="counts"),
        ),
        migrations.AlterField(
            model_name="revision",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="revisions",
                to="datasets.dataset",
                verbose_name="dataset",
            ),
        ),
        migrations.AlterField(
            model_name="revision",
            name="root_hash",
            field=models.CharField(blank=True, max_length=64, verbose_name="root hash"),
        ),
        migrations.AlterField(
            model_name="snapshot",
            name="counts",
            field=models.JSONField(default=dict, verbose_name="counts"),
        ),
        migrations.AlterField(
            model_name="snapshot",
            name="split_digest",
            field=models.CharField(max_length=64, verbose_name="digest of the split"),
        ),
        migrations.AlterField(
            model_name="splitplan",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="split_plans",
                to="datasets.dataset",
                verbose_name="dataset",
            ),
        ),
        migrations.AlterField(
            model_name="splitplan",
            name="digest",
            field=models.CharField(max_length=64, verbose_name="digest"),
        ),
        migrations.AlterField(
            model_name="splitrow",
            name="item",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="datasets.item", verbose_name="item"
            ),
        ),
        migrations.AlterField(
            model_name="splitrow",
            name="plan",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rows",
                to="datasets.splitplan",
                verbose_name="split plan",
            ),
        ),
        migrations.AlterField(
            model_name="splitrow",
            name="split",
            field=models.CharField(
                choices=[("train", "Training"), ("val", "Validation"), ("test", "Test")],
                max_length=5,
                verbose_name="split",
            ),
        ),
        migrations.AlterField(
            model_name="upload",
            name="analysis",
            field=models.JSONField(blank=True, default=dict, verbose_name="analysis"),
        ),
        migrations.AlterField(
            model_name="upload",
            name="failure",
            field=models.JSONField(blank=True, default=dict, verbose_name="why it failed"),
        ),
        migrations.AlterField(
            model_name="upload",
            name="progress",
            field=models.JSONField(blank=True, default=dict, verbose_name="progress"),
        ),
        migrations.AlterField(
            model_name="upload",
            name="published_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="published by",
            ),
        ),
        migrations.AlterField(
            model_name="upload",
            name="swept_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="files removed"),
        ),
    ]

"""Content under the organization's key, further objects and terms of an event; heads, checks, the sealer's list."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models
from django.utils import timezone

import apps.core.entities.ids


def key() -> models.UUIDField:
    return models.UUIDField(default=apps.core.entities.ids.uuid7, editable=False, primary_key=True, serialize=False)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]

    operations = [
        migrations.RenameModel("PersonKey", "AuditKey"),
        migrations.AlterModelOptions(
            name="auditkey",
            options={"verbose_name": "key of the audit log", "verbose_name_plural": "keys of the audit log"},
        ),
        migrations.AlterField(
            model_name="auditkey",
            name="subject_id",
            field=models.UUIDField(primary_key=True, serialize=False, verbose_name="person or organization"),
        ),
        migrations.AddField(
            model_name="auditevent", name="about", field=models.JSONField(default=list, verbose_name="further objects")
        ),
        migrations.AddField(
            model_name="auditevent",
            name="terms",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=160),
                default=list,
                editable=False,
                size=None,
                verbose_name="terms",
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["organization_id", "action", "-id"], name="audit_of_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=["terms"], name="audit_by_term"),
        ),
        migrations.CreateModel(
            name="AuditWaiting",
            fields=[
                ("event_id", models.UUIDField(primary_key=True, serialize=False, verbose_name="event")),
                ("chain", models.UUIDField(verbose_name="chain")),
            ],
            options={
                "verbose_name": "event waiting for its seal",
                "verbose_name_plural": "events waiting for their seal",
                "indexes": [models.Index(fields=["chain", "event_id"], name="audit_waiting_of_chain")],
            },
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", key()),
                ("chain", models.UUIDField(verbose_name="chain")),
                ("seq", models.BigIntegerField(verbose_name="number of events")),
                ("hash", models.CharField(max_length=64, verbose_name="last hash")),
                ("time", models.DateTimeField(verbose_name="signed")),
                ("public_key", models.CharField(max_length=64, verbose_name="public key")),
                ("signature", models.CharField(max_length=120, verbose_name="signature")),
            ],
            options={
                "verbose_name": "signed head",
                "verbose_name_plural": "signed heads",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["chain", "-id"], name="audit_head_of_chain")],
            },
        ),
        migrations.CreateModel(
            name="AuditCheck",
            fields=[
                ("id", key()),
                ("chain", models.UUIDField(verbose_name="chain")),
                ("requested_at", models.DateTimeField(default=timezone.now, verbose_name="requested")),
                ("requested_by_id", models.UUIDField(null=True, verbose_name="requested by")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("events", models.BigIntegerField(default=0, verbose_name="events")),
                ("unsealed", models.BigIntegerField(default=0, verbose_name="without a seal")),
                ("heads", models.PositiveIntegerField(default=0, verbose_name="signed heads compared")),
                ("is_intact", models.BooleanField(null=True, verbose_name="intact")),
                ("is_complete", models.BooleanField(null=True, verbose_name="complete")),
                ("findings", models.JSONField(default=dict, verbose_name="findings")),
            ],
            options={
                "verbose_name": "verification of the log",
                "verbose_name_plural": "verifications of the log",
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["chain", "-id"], name="audit_check_of_chain")],
            },
        ),
    ]

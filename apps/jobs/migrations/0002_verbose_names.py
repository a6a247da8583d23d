"""Every field has a name that can be translated."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("resources", "0002_verbose_names"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="jobs.job", verbose_name="job"
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="launch_sent_at",
            field=models.DateTimeField(null=True, verbose_name="launch sent"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="launcher_acked",
            field=models.BigIntegerField(default=0, verbose_name="events of the launcher"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="log_bytes",
            field=models.BigIntegerField(default=0, verbose_name="size of the log"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="node",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="resources.node",
                verbose_name="node",
            ),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="nonce",
            field=models.CharField(blank=True, max_length=64, verbose_name="launcher"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="outcome",
            field=models.JSONField(blank=True, default=dict, verbose_name="outcome"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="resumed_step",
            field=models.BigIntegerField(null=True, verbose_name="resumed at step"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="token_hash",
            field=models.CharField(blank=True, max_length=64, verbose_name="digest of the token"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="trainer_acked",
            field=models.BigIntegerField(default=0, verbose_name="events of the trainer"),
        ),
        migrations.AlterField(
            model_name="attempt",
            name="unreachable_since",
            field=models.DateTimeField(null=True, verbose_name="unreachable since"),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="attempt",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="files",
                to="jobs.attempt",
                verbose_name="attempt",
            ),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, verbose_name="created"),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="kind",
            field=models.CharField(max_length=20, verbose_name="kind"),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="name",
            field=models.CharField(max_length=300, verbose_name="name"),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="sha256",
            field=models.CharField(max_length=64, verbose_name="SHA-256"),
        ),
        migrations.AlterField(
            model_name="attemptfile",
            name="size",
            field=models.BigIntegerField(verbose_name="size"),
        ),
        migrations.AlterField(
            model_name="job",
            name="event_seq",
            field=models.BigIntegerField(default=0, verbose_name="last event"),
        ),
        migrations.AlterField(
            model_name="job",
            name="log_bytes",
            field=models.BigIntegerField(default=0, verbose_name="size of the log"),
        ),
        migrations.AlterField(
            model_name="job",
            name="progress_detail",
            field=models.JSONField(blank=True, default=dict, verbose_name="progress in detail"),
        ),
        migrations.AlterField(
            model_name="job",
            name="reason_params",
            field=models.JSONField(blank=True, default=dict, verbose_name="facts of the reason"),
        ),
        migrations.AlterField(
            model_name="job",
            name="retry_of",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="retries",
                to="jobs.job",
                verbose_name="retry of",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="stop_grace_seconds",
            field=models.PositiveIntegerField(default=120, verbose_name="seconds to stop in"),
        ),
        migrations.AlterField(
            model_name="job",
            name="stop_reason",
            field=models.CharField(blank=True, max_length=30, verbose_name="reason of the stop"),
        ),
        migrations.AlterField(
            model_name="job",
            name="stop_requested_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="stop asked for"),
        ),
        migrations.AlterField(
            model_name="jobartifact",
            name="attempt_no",
            field=models.PositiveIntegerField(verbose_name="attempt"),
        ),
        migrations.AlterField(
            model_name="jobartifact",
            name="data",
            field=models.JSONField(null=True, verbose_name="data"),
        ),
        migrations.AlterField(
            model_name="jobartifact",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="artifacts",
                to="jobs.job",
                verbose_name="job",
            ),
        ),
        migrations.AlterField(
            model_name="jobartifact",
            name="sha256",
            field=models.CharField(max_length=64, verbose_name="SHA-256"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="attempt_no",
            field=models.PositiveIntegerField(verbose_name="attempt"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="data",
            field=models.JSONField(verbose_name="data"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="job",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="events",
                to="jobs.job",
                verbose_name="job",
            ),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="seq",
            field=models.BigIntegerField(verbose_name="number"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="stream",
            field=models.CharField(max_length=10, verbose_name="stream"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="stream_seq",
            field=models.BigIntegerField(verbose_name="number in the stream"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="time",
            field=models.DateTimeField(verbose_name="time"),
        ),
        migrations.AlterField(
            model_name="jobevent",
            name="type",
            field=models.CharField(max_length=20, verbose_name="type"),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="attempt_no",
            field=models.PositiveIntegerField(verbose_name="attempt"),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="job",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="log_chunks",
                to="jobs.job",
                verbose_name="job",
            ),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="key",
            field=models.CharField(max_length=255, verbose_name="key"),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="offset",
            field=models.BigIntegerField(verbose_name="offset"),
        ),
        migrations.AlterField(
            model_name="logchunk",
            name="size",
            field=models.PositiveIntegerField(verbose_name="size"),
        ),
        migrations.AlterField(
            model_name="reconcilerpass",
            name="judge_from",
            field=models.DateTimeField(verbose_name="judges from"),
        ),
        migrations.AlterField(
            model_name="reconcilerpass",
            name="last_at",
            field=models.DateTimeField(verbose_name="last pass"),
        ),
        migrations.AlterField(
            model_name="slotclaim",
            name="attempt",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="claim",
                serialize=False,
                to="jobs.attempt",
                verbose_name="attempt",
            ),
        ),
        migrations.AlterField(
            model_name="slotclaim",
            name="cpus",
            field=models.PositiveSmallIntegerField(verbose_name="CPUs"),
        ),
        migrations.AlterField(
            model_name="slotclaim",
            name="gpu_indexes",
            field=models.JSONField(default=list, verbose_name="GPUs"),
        ),
        migrations.AlterField(
            model_name="slotclaim",
            name="memory_mb",
            field=models.PositiveIntegerField(verbose_name="memory in MB"),
        ),
        migrations.AlterField(
            model_name="slotclaim",
            name="node",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="claims",
                to="resources.node",
                verbose_name="node",
            ),
        ),
    ]

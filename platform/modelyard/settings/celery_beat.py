"""What beat starts, and how often. Every task here is one idempotent pass that may be skipped or doubled."""

CELERY_BEAT_SCHEDULE = {
    "accounts-sweep": {"task": "accounts.sweep", "schedule": 3600.0, "options": {"expires": 3600, "queue": "io"}},
    "jobs-dispatch": {"task": "jobs.dispatch", "schedule": 5.0, "options": {"expires": 5}},
    "jobs-reconcile": {"task": "jobs.reconcile", "schedule": 3.0, "options": {"expires": 3}},
    "jobs-sweep": {"task": "jobs.sweep", "schedule": 3600.0, "options": {"expires": 3600}},
    "core-outbox": {"task": "core.outbox_deliver", "schedule": 5.0, "options": {"expires": 5}},
    "core-outbox-sweep": {
        "task": "core.outbox_sweep",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "io"},
    },
    "metrics-roll-up": {"task": "metrics.roll_up", "schedule": 15.0, "options": {"expires": 15, "queue": "io"}},
    "datasets-sweep": {"task": "datasets.sweep", "schedule": 60.0, "options": {"expires": 60, "queue": "io"}},
    "audit-seal": {"task": "audit.seal", "schedule": 10.0, "options": {"expires": 10}},
}

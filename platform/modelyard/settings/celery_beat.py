"""What beat starts, and how often. Every task here is one idempotent pass that may be skipped or doubled."""

DAY = 86400.0

CELERY_BEAT_SCHEDULE = {
    "apikeys-usage": {"task": "apikeys.usage_flush", "schedule": 20.0, "options": {"expires": 20, "queue": "io"}},
    "apikeys-sweep": {"task": "apikeys.sweep", "schedule": 3600.0, "options": {"expires": 3600, "queue": "io"}},
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
    "invitations-expire": {
        "task": "invitations.expire",
        "schedule": 300.0,
        "options": {"expires": 300, "queue": "io"},
    },
    "departures-exports": {
        "task": "departures.exports_waiting",
        "schedule": 60.0,
        "options": {"expires": 60, "queue": "io"},
    },
    "departures-exports-sweep": {
        "task": "departures.exports_sweep",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "io"},
    },
    "departures-halt": {
        "task": "departures.halt_closing",
        "schedule": 30.0,
        "options": {"expires": 30, "queue": "io"},
    },
    "departures-purge": {"task": "departures.purge", "schedule": 60.0, "options": {"expires": 60, "queue": "io"}},
    "trash-empty": {"task": "departures.trash_empty", "schedule": 60.0, "options": {"expires": 60, "queue": "io"}},
    "trash-retention": {
        "task": "departures.trash_retention",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "io"},
    },
    "metrics-roll-up": {"task": "metrics.roll_up", "schedule": 15.0, "options": {"expires": 15, "queue": "io"}},
    "datasets-check-due": {
        "task": "datasets.check_due",
        "schedule": 300.0,
        "options": {"expires": 300, "queue": "io"},
    },
    "datasets-sweep": {"task": "datasets.sweep", "schedule": 60.0, "options": {"expires": 60, "queue": "io"}},
    "datasets-exports-sweep": {
        "task": "datasets.exports_sweep",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "io"},
    },
    "audit-seal": {"task": "audit.seal", "schedule": 10.0, "options": {"expires": 10}},
    "audit-heads": {"task": "audit.heads", "schedule": DAY, "options": {"expires": DAY, "queue": "io"}},
    "audit-checks": {"task": "audit.checks_daily", "schedule": DAY, "options": {"expires": DAY, "queue": "io"}},
    "audit-checks-waiting": {
        "task": "audit.checks_waiting",
        "schedule": 120.0,
        "options": {"expires": 120, "queue": "io"},
    },
}

"""The Celery application. Tasks are short; a job's process is never a task (docs/architecture)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")

app = Celery("modelyard")
# `current_app` is per thread; the web's threads would otherwise fall back to an application without a broker.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""Begins or ends a schedule of every second for a training, in the portal whose variables it runs with."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from django_celery_beat.models import IntervalSchedule, PeriodicTask


def main(what: str, template: str) -> None:
    name = f"training {template}"
    if what == "end":
        PeriodicTask.objects.get(name=name).delete()
        return
    every, _made = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name=name, task="training.run_scheduled", interval=every, args=f'["{template}"]')


main(*sys.argv[1:])

"""Has a training's schedule come to pass every second, in the portal whose variables it runs with.

A schedule that people make comes to pass once a minute at most.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from django_celery_beat.models import IntervalSchedule

from apps.training.models import TrainingSchedule

beat = TrainingSchedule.objects.select_related("beat").get(pk=sys.argv[1]).beat
beat.interval, _made = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
beat.crontab = None
beat.save()

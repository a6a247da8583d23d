from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "apps.jobs"
    label = "jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.jobs import actions, policies, reasons, selectors
        from apps.jobs.departing import CONTENTS, CONTRIBUTION
        from apps.organizations.services.quotas import register_gpu_meter, register_job_meter, register_storage_meter
        from apps.projects.contents import register_contents
        from apps.projects.selectors import register_work

        assert actions and policies and reasons
        register_storage_meter("jobs", selectors.stored_bytes)
        register_gpu_meter("jobs", selectors.gpu_hours)
        register_job_meter(selectors.running_jobs)
        register_work(selectors.is_going_on)
        register_contribution("jobs", CONTRIBUTION)
        register_contents("jobs", CONTENTS)

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MetricsConfig(AppConfig):
    name = "apps.metrics"
    label = "metrics"
    verbose_name = _("Metrics")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.jobs.kinds import register_event_handler
        from apps.metrics.departing import CONTENTS, CONTRIBUTION
        from apps.metrics.services import store_points
        from apps.projects.contents import register_contents

        register_event_handler(store_points)
        register_contribution("metrics", CONTRIBUTION)
        register_contents("metrics", CONTENTS)

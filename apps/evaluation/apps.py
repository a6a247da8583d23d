from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EvaluationConfig(AppConfig):
    name = "apps.evaluation"
    label = "evaluation"
    verbose_name = _("Evaluation")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.evaluation import actions, policies
        from apps.evaluation.departing import CONTENTS, CONTRIBUTION
        from apps.evaluation.kind import INFERENCE
        from apps.jobs.kinds import register_kind
        from apps.projects.contents import register_contents

        assert actions and policies
        register_kind(INFERENCE)
        register_contribution("evaluation", CONTRIBUTION)
        register_contents("evaluation", CONTENTS)

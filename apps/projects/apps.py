from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProjectsConfig(AppConfig):
    name = "apps.projects"
    label = "projects"
    verbose_name = _("Projects")

    def ready(self) -> None:
        from apps.core.policy import Holder, register_holder, register_narrowing
        from apps.departures.contributions import register_contribution
        from apps.departures.trash import Bin, register_bin
        from apps.invitations.targets import register_target
        from apps.organizations.services.handing_over import Belongings, register_belongings
        from apps.projects import actions, narrowing, policies, selectors, services
        from apps.projects.contents import project_steps
        from apps.projects.departing import CONTRIBUTION
        from apps.projects.inviting import INVITATIONS
        from apps.projects.models import Project

        assert actions and policies
        register_belongings("projects", Belongings(services.sole_ownerships, services.member_release))
        register_narrowing(narrowing.within_projects)
        register_holder(
            Holder(
                "projects.Project",
                grant=lambda role: "projects.add_projectmembership",
                likely=selectors.answering,
                obstacle=selectors.obstacle,
            )
        )
        register_target(INVITATIONS)
        register_contribution("projects", CONTRIBUTION)
        register_bin(
            Bin(
                Project,
                lambda actor, found: services.project_purge(actor=actor, project=found, name=found.name),
                project_steps,
            )
        )

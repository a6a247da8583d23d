from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InvitationsConfig(AppConfig):
    name = "apps.invitations"
    label = "invitations"
    verbose_name = _("Invitations")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.invitations import actions, policies
        from apps.invitations.departing import CONTRIBUTION
        from apps.invitations.services import mailing
        from apps.invitations.services.organizations import ORGANIZATION, seats_claimed
        from apps.invitations.targets import register_target
        from apps.organizations.services.quotas import register_seat_claim

        assert actions and policies and mailing
        register_target(ORGANIZATION)
        register_seat_claim("invitations", seats_claimed)
        register_contribution("invitations", CONTRIBUTION)

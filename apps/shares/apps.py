from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SharesConfig(AppConfig):
    name = "apps.shares"
    label = "shares"
    verbose_name = _("Shares")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.organizations.services.handing_over import Belongings, register_belongings
        from apps.shares import actions, services
        from apps.shares.departing import CONTRIBUTION

        assert actions
        register_belongings("shares", Belongings(lambda membership: [], services.shares_release))
        register_contribution("shares", CONTRIBUTION)

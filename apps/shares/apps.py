from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SharesConfig(AppConfig):
    name = "apps.shares"
    label = "shares"
    verbose_name = _("Shares")

    def ready(self) -> None:
        from apps.organizations.services.handing_over import Belongings, register_belongings
        from apps.shares import actions, services

        assert actions
        register_belongings("shares", Belongings(lambda membership: [], services.shares_release))

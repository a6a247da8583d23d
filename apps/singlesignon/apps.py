from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SingleSignOnConfig(AppConfig):
    name = "apps.singlesignon"
    label = "singlesignon"
    verbose_name = _("Single sign-on")

    def ready(self) -> None:
        from allauth.account.signals import user_logged_in

        from apps.departures.contributions import register_contribution
        from apps.organizations.frame import Tab, register_tab
        from apps.singlesignon import actions, policies, receivers  # noqa: F401
        from apps.singlesignon.departing import CONTRIBUTION

        register_tab(
            Tab(
                name="single-sign-on",
                label=_("Single sign-on"),
                page="singlesignon:connection",
                icon="key",
                permission="singlesignon.add_connection",
            )
        )
        user_logged_in.connect(receivers.signed_in)
        register_contribution("singlesignon", CONTRIBUTION)

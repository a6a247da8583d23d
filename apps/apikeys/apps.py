from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiKeysConfig(AppConfig):
    name = "apps.apikeys"
    label = "apikeys"
    verbose_name = _("API keys")

    def ready(self) -> None:
        from apps.apikeys import actions, counters, policies, selectors  # noqa: F401
        from apps.apikeys.departing import CONTRIBUTION
        from apps.apikeys.services import keys
        from apps.core.identity import register_key_source
        from apps.departures.contributions import register_contribution
        from apps.organizations.services.handing_over import Belongings, register_belongings
        from apps.organizations.services.quotas import register_call_meter

        register_key_source(by_secret=keys.grant_of_secret, by_id=selectors.grant_of_id)
        register_call_meter(lambda organization_id: counters.used("organization", str(organization_id)))
        # Keys stand for a person: nobody takes them over.
        register_belongings("apikeys", Belongings(lambda membership: [], keys.member_release))
        register_contribution("apikeys", CONTRIBUTION)

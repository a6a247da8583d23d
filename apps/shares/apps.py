from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SharesConfig(AppConfig):
    name = "apps.shares"
    label = "shares"
    verbose_name = _("Shares")

    def ready(self) -> None:
        from apps.shares import actions  # noqa: F401

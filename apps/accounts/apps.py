from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = _("People")

    def ready(self) -> None:
        from allauth.mfa import signals
        from django.contrib.auth.signals import user_login_failed

        from apps.accounts import actions, policies, receivers  # noqa: F401

        user_login_failed.connect(receivers.sign_in_failed)
        signals.authenticator_added.connect(receivers.factor_added)
        signals.authenticator_removed.connect(receivers.factor_removed)
        signals.authenticator_reset.connect(receivers.recovery_codes_made)
        signals.authenticator_used.connect(receivers.factor_used)
        signals.authentication_failed.connect(receivers.factor_failed)

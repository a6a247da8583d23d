from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrganizationsConfig(AppConfig):
    name = "apps.organizations"
    label = "organizations"
    verbose_name = _("Organizations")

    def ready(self) -> None:
        from allauth.account.signals import (
            email_confirmed,
            password_changed,
            password_reset,
            password_set,
            user_logged_in,
            user_logged_out,
        )
        from django.contrib.auth.signals import user_login_failed

        from apps.accounts.policies import register_visibility
        from apps.core.identity import register_lock_source, register_membership_source
        from apps.core.policy import Holder, register_candidates, register_closing, register_holder
        from apps.organizations import actions, policies, receivers, selectors  # noqa: F401
        from apps.organizations.services import passwords, sign_up  # noqa: F401

        register_membership_source(selectors.active_memberships)
        register_lock_source(selectors.locked_organizations)
        register_candidates(selectors.candidates)
        register_closing(selectors.is_closing)
        register_holder(
            Holder(
                "organizations.Organization",
                grant=selectors.giving_permission,
                likely=lambda actor, organization: selectors.managing(actor, organization.pk),
            )
        )
        register_visibility(policies.colleagues)
        email_confirmed.connect(receivers.email_confirmed)
        for signal in (password_changed, password_set, password_reset):
            signal.connect(receivers.password_changed)
        user_logged_in.connect(receivers.signed_in)
        user_logged_out.connect(receivers.signed_out)
        user_login_failed.connect(receivers.sign_in_failed)

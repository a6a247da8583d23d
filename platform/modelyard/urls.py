"""All addresses of the portal. An app's own URL modules are taken in when the app is installed."""

from importlib.util import find_spec

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import JavaScriptCatalog
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from apps.organizations.views import confirm_email
from modelyard import dashboard, errors, health, profile, search

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error


def _portal(name: str, prefix: str) -> list[URLPattern | URLResolver]:
    """An app's pages, once the app exists."""
    module = f"apps.{name}.urls"
    known = f"apps.{name}" in settings.INSTALLED_APPS and find_spec(module) is not None
    return [path(prefix, include(module))] if known else []


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("", dashboard.portal_dashboard, name="dashboard"),
    path("search/", search.search, name="search"),
    path("profile/", profile.profile, name="profile"),
    path("profile/theme/", profile.choose_theme, name="profile-theme"),
    path("organization/choose/", profile.choose_organization, name="choose-organization"),
    path("i18n/set-language/", profile.choose_language, name="set_language"),
    path("i18n/js/", JavaScriptCatalog.as_view(domain="djangojs", packages=["modelyard"]), name="javascript-catalog"),
    path("account/confirm-email/<str:key>/", confirm_email, name="account_confirm_email"),
    path("account/", include("allauth.account.urls")),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("admin/login/", errors.admin_sign_in),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    path("api/v1/", include("modelyard.api_urls")),
    *_portal("accounts", "profile/"),
    *_portal("organizations", "organization/"),
    *_portal("singlesignon", ""),
    *_portal("departures", ""),
    *_portal("apikeys", "api-keys/"),
    *_portal("invitations", ""),
    *_portal("projects", "projects/"),
    *_portal("datasets", "datasets/"),
    *_portal("training", "training/"),
    *_portal("resources", "resource-groups/"),
    *_portal("audit", "audit/"),
    *_portal("experiments", ""),
    *_portal("evaluation", ""),
    *_portal("shares", "shares/"),
]
if "apps.jobs" in settings.INSTALLED_APPS:
    urlpatterns.append(path("api/attempt/v1/", include("apps.jobs.attempt_api.urls")))

"""Look and navigation of the admin (django-unfold)."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse, reverse_lazy
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

#: Area → models of it with their Material symbols. A model that no app has, or that the person may not view, is left out.
AREAS: tuple[tuple[Any, tuple[tuple[str, str], ...]], ...] = (
    (
        _("Work"),
        (
            ("projects.project", "folder"),
            ("projects.projectmembership", "group"),
            ("datasets.dataset", "database"),
            ("datasets.upload", "upload"),
            ("datasets.snapshot", "photo_library"),
            ("datasets.integritycheck", "verified"),
            ("training.trainingjob", "model_training"),
            ("training.checkpoint", "save"),
            ("evaluation.evaluation", "fact_check"),
            ("evaluation.inferencejob", "image_search"),
            ("experiments.experiment", "experiment"),
            ("experiments.run", "timeline"),
        ),
    ),
    (
        _("Machines"),
        (
            ("jobs.job", "list_alt"),
            ("resources.resourcegroup", "dns"),
            ("resources.node", "computer"),
        ),
    ),
    (
        _("People"),
        (
            ("organizations.organization", "apartment"),
            ("organizations.membership", "badge"),
            ("singlesignon.connection", "login"),
            ("invitations.invitation", "forward_to_inbox"),
            ("accounts.user", "person"),
            ("apikeys.apikey", "vpn_key"),
            ("account.emailaddress", "mail"),
            ("usersessions.usersession", "devices"),
            ("accounts.refreshtoken", "terminal"),
            ("mfa.authenticator", "key"),
        ),
    ),
    (
        _("Records"),
        (
            ("audit.auditevent", "history"),
            ("audit.auditcheck", "verified_user"),
            ("audit.audithead", "draw"),
            ("apikeys.endpointusage", "monitoring"),
            ("core.outboxmessage", "outbox"),
            ("django_celery_beat.periodictask", "schedule"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar, by area, as the person may see it."""
    overview = [
        {"title": _("Dashboard"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
        {"title": _("To the portal"), "icon": "open_in_new", "link": reverse_lazy("dashboard"), "active": False},
    ]
    areas: list[dict[str, Any]] = [{"title": _("Overview"), "items": overview}]
    for title, models in AREAS:
        items = [item for label, icon in models if (item := _item(request, label, icon))]
        if items:
            areas.append({"title": title, "separator": True, "items": items})
    return areas


def _item(request: HttpRequest, label: str, icon: str) -> dict[str, Any] | None:
    # Settings are read before the apps are there.
    from django.apps import apps  # import here: settings come before the registry

    app, model = label.split(".")
    if not request.user.has_perm(f"{app}.view_{model}"):
        return None
    try:
        link = reverse(f"admin:{app}_{model}_changelist")
    except NoReverseMatch:
        return None
    return {"title": capfirst(apps.get_model(label)._meta.verbose_name_plural), "icon": icon, "link": link}


UNFOLD = {
    "SITE_TITLE": "Modelyard",
    "SITE_HEADER": "Modelyard",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("img/logo.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/logo.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_BACK_BUTTON": True,
    "SHOW_LANGUAGES": True,
    "ENVIRONMENT": None,
    "DASHBOARD_CALLBACK": "modelyard.dashboard.admin_dashboard",
    "COLORS": {
        "primary": {
            "50": "239 246 255",
            "100": "219 234 254",
            "200": "191 219 254",
            "300": "147 187 247",
            "400": "96 146 236",
            "500": "46 104 219",
            "600": "26 79 190",
            "700": "22 64 156",
            "800": "21 54 127",
            "900": "20 44 99",
            "950": "13 28 64",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": navigation,
    },
}

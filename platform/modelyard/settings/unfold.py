"""Look and navigation of the admin (django-unfold)."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

UNFOLD = {
    "SITE_TITLE": "Modelyard",
    "SITE_HEADER": "Modelyard",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_SYMBOL": "deployed_code",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")},
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_BACK_BUTTON": True,
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
        "navigation": [
            {
                "title": _("Overview"),
                "items": [{"title": _("Dashboard"), "icon": "dashboard", "link": reverse_lazy("admin:index")}],
            },
        ],
    },
}

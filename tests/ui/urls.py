"""Routes with the names that the base layout knows, for pages drawn without the portal's own views."""

from django.http import HttpResponse
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog


def page(request, **values):
    return HttpResponse("")


def namespace(name, *routes):
    return path(f"{name}/", include((list(routes), name)))


urlpatterns = [
    path("", page, name="dashboard"),
    namespace("projects", path("", page, name="list")),
    namespace("datasets", path("", page, name="list")),
    namespace("training", path("", page, name="list")),
    namespace("resources", path("", page, name="list")),
    namespace("organizations", path("choose", page, name="choose")),
    namespace("accounts", path("profile", page, name="profile")),
    namespace("admin", path("", page, name="index")),
    path("search/", page, name="search"),
    path("sign-out", page, name="account_logout"),
    path("i18n/setlang", page, name="set_language"),
    path("i18n/js/", JavaScriptCatalog.as_view(), name="javascript-catalog"),
]

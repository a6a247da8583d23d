"""REST, version 1: every app's `api/urls.py` under one prefix."""

from importlib.util import find_spec

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from modelyard.errors import api_not_found

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(f"{app}.api.urls"))
    for app in settings.INSTALLED_APPS
    if app.startswith("apps.") and find_spec(f"{app}.api") is not None and find_spec(f"{app}.api.urls") is not None
]
urlpatterns.append(path("<path:rest>", api_not_found))

"""WebSocket addresses."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings

websocket_urlpatterns: list[Any] = []
for app in settings.INSTALLED_APPS:
    if app.startswith("apps.") and find_spec(f"{app}.routing") is not None:
        websocket_urlpatterns += import_module(f"{app}.routing").websocket_urlpatterns

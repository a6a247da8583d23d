"""HTTP and WebSockets in one application, for uvicorn."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
http = get_asgi_application()

from modelyard.bodies import BodyLimits  # as below
from modelyard.launchers import LauncherCalls
from modelyard.routing import websocket_urlpatterns  # consumers need the apps loaded

application = ProtocolTypeRouter(
    {
        "http": BodyLimits(LauncherCalls(http)),
        "websocket": CookieMiddleware(SessionMiddleware(URLRouter(websocket_urlpatterns))),
    }
)

"""HTTP for gunicorn in production; sockets are served by `modelyard.asgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
application = get_wsgi_application()

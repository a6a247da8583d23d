"""Settings of the test run: the same parts, cheaper passwords, mail in memory, no manifest of static files."""

from modelyard.settings.base import *
from modelyard.settings.base import STORAGES, TEMPLATES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A variable that a template names and its view forgot must be seen.
TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = ""

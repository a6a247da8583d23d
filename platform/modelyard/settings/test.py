"""Settings of the test run: the same parts, cheaper passwords, mail in memory, no manifest of static files."""

import os

from modelyard.settings.base import *
from modelyard.settings.base import STORAGE, STORAGES, TEMPLATES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# Each process of a run has a database of its own, and so a store: what one sweeps, the rows of another may name.
STORAGE = {**STORAGE, "local_root": STORAGE["local_root"] / os.environ.get("PYTEST_XDIST_WORKER", "")}
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# A variable that a template names and its view forgot must be seen.
TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = ""

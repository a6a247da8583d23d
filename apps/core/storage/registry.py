"""The store that the settings name."""

from functools import cache

from django.conf import settings

from apps.core.storage.base import Storage
from apps.core.storage.local import LocalStorage
from apps.core.storage.s3 import S3Storage


@cache
def storage() -> Storage:
    options = dict(settings.STORAGE)
    root = options.pop("local_root")
    return S3Storage(**options) if options["bucket"] else LocalStorage(root)

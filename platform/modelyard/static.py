"""How static files are served: hashed names, compressed, and scripts that import each other by hashed names too."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Without the rewriting of imports a browser could mix modules of two versions after an upgrade."""

    support_js_module_import_aggregation = True

"""Why files could not be fetched, worded for the reader from the code that is stored."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.outbound import BUCKET_CODES, CODES, DOWNLOAD_CODES
from apps.datasets.defects import ERROR, WORDINGS, Defect, describe

ADDRESS = _("Correct the address and import again.")
LATER = _("Import again later.")
OPERATOR = _("Ask those who run the portal.")
KEYS = _("Import again with keys that may list and read the bucket.")

#: Code → what happened, and what to do about it.
REASONS: dict[str, tuple[Any, Any]] = {
    "url_refused": (_("This address is not called: it must begin with https:// and be a public one."), ADDRESS),
    "host_unknown": (_("The host name in the address is not known."), ADDRESS),
    "address_private": (
        _("The address lies in a private network that this portal may not call."),
        _("Those who run the portal can allow it (OUTBOUND_PRIVATE_ORIGINS)."),
    ),
    "unreachable": (_("The server cannot be reached, or kept breaking off."), LATER),
    "tls_failed": (_("The server's certificate is not trusted."), ADDRESS),
    "too_slow": (_("The server sends too slowly."), LATER),
    "too_large": (_("The file is larger than one upload may be."), _("Import the set in parts.")),
    "redirected": (_("The server sends from one address to the next, and never to a file."), ADDRESS),
    "answer_unreadable": (_("The server's answer cannot be read."), ADDRESS),
    "answer_refused": (
        _("The server does not give the file out (%(status)s)."),
        _("Check that the address opens without signing in."),
    ),
    "answer_page": (
        _("The address leads to a web page, not to a file."),
        _("Use the address of the download itself."),
    ),
    "bucket_unknown": (_("There is no such bucket at this endpoint."), _("Check bucket, endpoint and region.")),
    "bucket_forbidden": (_("The store does not let these keys list or read the objects."), KEYS),
    "bucket_keys": (_("The store does not accept the keys."), KEYS),
    "bucket_region": (_("The bucket lies in another region."), _("Import again with the bucket's region.")),
    "bucket_answer": (_("The store's answer cannot be used."), _("Check that the endpoint is that of an S3 store.")),
    "folder_path": (_("The path of the server folder is not an absolute one."), OPERATOR),
    "folder_link": (_("The path of the server folder leads over a link."), OPERATOR),
    "folder_private": (_("This folder belongs to the system or to the portal itself."), OPERATOR),
    "folder_missing": (_("The server folder is not there."), OPERATOR),
    "folder_withdrawn": (_("The server folder may not be used any more."), OPERATOR),
    "folder_gone": (_("“%(path)s” is not in the server folder."), _("Choose again.")),
    "folder_unreadable": (_("“%(path)s” cannot be read."), OPERATOR),
    "digest_differs": (
        _("“%(path)s” did not arrive as it was sent: its part %(part)s differs."),
        _("Upload it again."),
    ),
    "object_gone": (_("“%(path)s” is not in the store any more."), _("Upload it again.")),
    "source_changed": (_("“%(path)s” changed while it was fetched."), LATER),
    "source_empty": (_("Nothing lies there."), _("Check the place and import again.")),
    "disk_full": (_("The portal has no room for these files."), OPERATOR),
    "import_too_long": (_("The import took longer than %(hours)s hours."), _("Import the set in parts.")),
    "import_failed": (_("The portal could not do its part."), LATER),
    "no_permission": (
        _("Who began the import may not add to the dataset any more."),
        _("Ask somebody who may to import again."),
    ),
    "secret_unreadable": (
        _("The keys given for the import cannot be read any more."),
        _("Import again, and give the keys again."),
    ),
    "quota_exceeded": (
        _("This does not fit into the organization's %(limit)s GB."),
        _("Those who run the platform can raise the limit."),
    ),
    "unreadable": (_("The files could not be read."), LATER),
    "publish_failed": (_("The portal could not do its part."), _("Publish again later.")),
}
assert REASONS.keys() >= {*CODES, *DOWNLOAD_CODES, *BUCKET_CODES}


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def failure_words(failure: dict[str, Any]) -> tuple[str, str]:
    """Sentence and hint for the failure of an upload (`Upload.failure`), in the active language."""
    code, params = failure.get("code", ""), _Params(failure.get("params", {}))
    if params.get("message"):  # a publication's own words, as they were stored
        return str(params["message"]), str(params.get("hint", ""))
    if code in REASONS:
        sentence, hint = REASONS[code]
        return str(sentence) % params, str(hint) % params
    if code in WORDINGS:
        sentence, hint = describe(Defect(code, ERROR, params.get("path"), None, params))
        return (f"{params['path']}: {sentence}" if params.get("path") else sentence), hint
    return code, ""

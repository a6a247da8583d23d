"""Whether a format that another library reads can be asked for."""

from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Invalid
from apps.datasets.foreign import FORMATS, LIBRARY, reason_off


def require_format(name: str) -> None:
    """Raises `Invalid` for a format that is not known, `Conflict` where such formats are not read; "" is none."""
    if not name:
        return
    if name != LIBRARY and name not in FORMATS:
        message = _("The format \u201c%(name)s\u201d is not known.") % {"name": name[:100]}
        raise Invalid(message, code="format_unknown", fields={"format": [message]})
    if off := reason_off():
        raise Conflict(
            off,
            code="format_off",
            hint=_("Bring the set in YOLO, COCO, Pascal VOC, ImageFolder or DICE, or ask those who run the portal."),
        )

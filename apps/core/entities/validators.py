"""What may stand in a text that people give."""

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

# For names: they are shown everywhere, in mails and file names too.
PLAIN = RegexValidator(r"^[^\x00-\x1f<>]+$", _("Control characters, < and > are not allowed."))

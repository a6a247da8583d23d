"""What to do about a defect, where many need the same."""

from django.utils.translation import gettext_lazy as _

REPACK = _("Pack the folder again as an ordinary ZIP and upload that.")
RENAME = _("Rename the file and upload again.")
REPLACE_IMAGE = _("Replace the image, or take it and its label out.")
FIX_ROW = _("Correct the row, or choose the lenient check, which leaves such rows out.")
FIX_OBJECT = _("Correct the annotation, or choose the lenient check, which leaves such annotations out.")
FIX_CLASSES = _("Correct the class names and upload again.")
FIX_DOCUMENT = _("Correct the document and upload again.")
CHOOSE_LENIENT = _("Choose the lenient check to turn them into their bounding boxes.")
FIX_YAML = _("Correct the YAML file and upload again.")
KEEP_IN_ONE_SPLIT = _("Results on images that were trained on look better than they are: keep it in one split.")

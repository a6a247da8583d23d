"""Words for sets in formats that datumaro reads: what keeps them from being read, and what has no place in the model."""

from django.utils.translation import gettext_lazy as _

from apps.datasets.defects.hints import FIX_OBJECT
from apps.datasets.defects.wording import Wording

CHOOSE_FORMAT = _("Choose the format yourself, and analyse again.")
CHECK_LAYOUT = _("Compare folders and names of files with the format's description, or choose another format.")
ASK = _("Ask those who run the portal; or bring the set in YOLO, COCO, Pascal VOC, ImageFolder or DICE.")
NOTHING = _("Nothing to do, unless you miss it.")

FOREIGN_WORDS: dict[str, Wording] = {
    "datumaro.off": Wording(
        _("The reading of further formats is switched off, or not possible on this machine."), ASK
    ),
    "datumaro.unconfined": Wording(
        _("This machine cannot shut the reader in (%(detail)s); unconfined, nothing is read."), ASK
    ),
    "datumaro.not_built": Wording(_("The reader could not be installed (%(detail)s)."), ASK),
    "datumaro.not_told": Wording(
        _("The set is in none of the further formats, or it could not be told."), CHOOSE_FORMAT
    ),
    "datumaro.ambiguous": Wording(_("The set may be in more than one format: %(formats)s."), CHOOSE_FORMAT),
    "datumaro.not_found": Wording(_("There is no set of the format %(format)s here."), CHECK_LAYOUT),
    "datumaro.unreadable": Wording(_("The set cannot be read as %(format)s (%(detail)s)."), CHECK_LAYOUT),
    "datumaro.item": Wording(_("An image or object cannot be read (%(detail)s)."), FIX_OBJECT),
    "datumaro.crashed": Wording(
        _("The reader of the format %(format)s broke down over this set; nothing of it was taken."), CHECK_LAYOUT
    ),
    "datumaro.memory": Wording(
        _("The reader of the format %(format)s would need too much memory for this set."),
        _("Upload the set in parts."),
    ),
    "datumaro.too_slow": Wording(
        _("The reader of the format %(format)s was ended: it takes too long over this set."),
        _("Upload the set in parts."),
    ),
    # What the model does not hold
    "datumaro.pictures_left_out": Wording(
        _("%(count)s pictures are no images of the set by its labels; they were left out."),
        _("Nothing to do where they are masks."),
    ),
    "datumaro.lines": Wording(_("Lines are left out: %(count)s."), NOTHING),
    "datumaro.captions": Wording(_("Captions are left out: %(count)s."), NOTHING),
    "datumaro.cuboids": Wording(_("Cuboids are left out: %(count)s."), NOTHING),
    "datumaro.points": Wording(
        _("Points are left out, since the objects of a class do not all have as many: %(count)s."), NOTHING
    ),
    "datumaro.other_kinds": Wording(_("Objects of other kinds are left out: %(count)s."), NOTHING),
    "datumaro.ellipses": Wording(_("Ellipses become outlines of 36 corners: %(count)s."), _("Nothing to do.")),
    "datumaro.background": Wording(_("Masks of the background are left out: %(count)s."), _("Nothing to do.")),
    "datumaro.empty_masks": Wording(_("Masks without a pixel are left out: %(count)s."), _("Nothing to do.")),
    "datumaro.groups": Wording(_("Objects belong together in groups, which is not kept: %(count)s."), NOTHING),
    "datumaro.attributes": Wording(
        _("Notes beside objects that are neither text nor number are left out: %(count)s."), NOTHING
    ),
    "datumaro.image_labels": Wording(
        _("Classes of whole images are left out, for the dataset takes objects: %(count)s."), NOTHING
    ),
    "datumaro.objects": Wording(
        _("Objects are left out, for the dataset takes classes of whole images: %(count)s."), NOTHING
    ),
    "datumaro.image_attributes": Wording(_("Notes beside images are left out: %(count)s."), NOTHING),
    "datumaro.subsets": Wording(
        _("Images belong to parts that are neither training, validation nor test; they are in no split: %(count)s."),
        _("Divide them under Splits."),
    ),
}

"""Words for defects of labels in pixels: shapes, COCO, Pascal VOC, folders of classes."""

from django.utils.translation import gettext_lazy as _

from apps.datasets.defects.hints import FIX_DOCUMENT, FIX_OBJECT, RENAME
from apps.datasets.defects.wording import Wording

LABEL_WORDS: dict[str, Wording] = {
    # Shapes of every format that has pixels
    "shape.empty": Wording(_("The object has no area inside its image."), FIX_OBJECT),
    "shape.clipped": Wording(_("The object reaches beyond the image; it was cut at the border."), _("Nothing to do.")),
    "shape.crosses": Wording(
        _("The outline crosses itself."), _("Nothing to do, unless the object looks wrong in the pictures.")
    ),
    "shape.duplicate": Wording(_("The object occurs twice; one was kept."), _("Nothing to do.")),
    "shape.turned": Wording(
        _(
            "“%(image)s” is shown turned by a quarter, its labels were drawn on it as it is stored; they were turned too."
        ),
        _("Nothing to do."),
    ),
    "shape.mask_turned": Wording(
        _("The mask was drawn on the image as it is stored, which is shown turned by a quarter."),
        _("Store the image upright, or draw an outline."),
    ),
    "shape.image_size": Wording(
        _("“%(image)s” has %(real_width)s × %(real_height)s pixels; its labels are for %(width)s × %(height)s."),
        _("Upload the image that was labelled, or choose the lenient check, which takes the labels as they are."),
    ),
    # JSON and COCO
    "json.no_object": Wording(_("The JSON does not begin with an object."), FIX_DOCUMENT),
    "json.invalid": Wording(_("The JSON cannot be read (%(detail)s)."), FIX_DOCUMENT),
    "json.truncated": Wording(_("The JSON ends too early."), _("The upload or the file is cut off: try again.")),
    "json.duplicate_key": Wording(_("The key “%(key)s” occurs twice."), FIX_DOCUMENT),
    "json.too_deep": Wording(_("The JSON is nested too deeply."), FIX_DOCUMENT),
    "json.not_finite": Wording(_("“%(value)s” is not a finite number."), FIX_DOCUMENT),
    "json.too_many_keys": Wording(_("The JSON has more than %(limit)s keys."), FIX_DOCUMENT),
    "json.element_big": Wording(_("A single entry is larger than %(limit)s bytes."), FIX_DOCUMENT),
    "coco.no_document": Wording(_("No document lists images and annotations."), _("Add the JSON file.")),
    "coco.no_images": Wording(_("The document lists no images."), FIX_DOCUMENT),
    "coco.document_ignored": Wording(
        _("The document says more about images that another one lists; it was left out."), _("Nothing to do.")
    ),
    "coco.too_big": Wording(
        _("The documents have %(bytes)s bytes in all; at most %(limit)s are allowed."), _("Upload the set in parts.")
    ),
    "coco.too_many_objects": Wording(_("The set has more than %(limit)s objects."), _("Upload the set in parts.")),
    "coco.too_many_images": Wording(
        _("The documents list more than %(limit)s images."), _("Upload the set in parts.")
    ),
    "coco.image_big": Wording(
        _("The image's annotations have %(bytes)s bytes; at most %(limit)s are allowed."), _("Simplify the outlines.")
    ),
    "coco.objects_per_image": Wording(_("The image has more than %(limit)s objects."), _("Split the image.")),
    "coco.shape": Wording(_("An entry of “%(key)s” does not have the form expected."), FIX_OBJECT),
    "coco.image_id_twice": Wording(_("The image id %(id)s occurs twice."), FIX_DOCUMENT),
    "coco.image_twice": Wording(_("The image “%(image)s” is listed twice."), FIX_DOCUMENT),
    "coco.image_missing": Wording(_("The listed image “%(image)s” is not in the set."), _("Add the image.")),
    "coco.image_unlisted": Wording(
        _("No document lists the image; it is taken as not labelled."), _("Nothing to do, unless you miss labels.")
    ),
    "coco.image_unknown": Wording(
        _("The annotation belongs to image %(id)s, which the document does not list."), FIX_OBJECT
    ),
    "coco.annotation_id_twice": Wording(_("The annotation id %(id)s occurs twice."), FIX_OBJECT),
    "coco.category_id_twice": Wording(_("The category id %(id)s occurs twice."), FIX_DOCUMENT),
    "coco.category_unknown": Wording(
        _("The annotation is of category %(id)s, which the document does not list."), FIX_OBJECT
    ),
    "coco.keypoints_differ": Wording(
        _("The category “%(name)s” has other keypoints in another document."), FIX_DOCUMENT
    ),
    "coco.skeleton": Wording(
        _("The skeleton of “%(name)s” does not join its keypoints; it was left out."), _("Nothing to do.")
    ),
    "coco.no_shape": Wording(_("The annotation has neither box nor outline."), FIX_OBJECT),
    "coco.box_shape": Wording(
        _("The box is not four finite numbers: left, top, width and height in pixels."), FIX_OBJECT
    ),
    "coco.polygon_shape": Wording(_("The outline is not a list of finite numbers, or too long."), FIX_OBJECT),
    "coco.polygon_odd": Wording(_("The outline has an odd number of coordinates (%(found)s)."), FIX_OBJECT),
    "coco.polygon_short": Wording(_("The outline has %(found)s corners; it needs three."), FIX_OBJECT),
    "coco.corners_shape": Wording(
        _("The oriented box is not eight finite numbers, x and y of four corners."), FIX_OBJECT
    ),
    "coco.mask_shape": Wording(_("The mask's run lengths cannot be read."), FIX_OBJECT),
    "coco.mask_runs": Wording(_("The mask has more than %(limit)s runs."), FIX_OBJECT),
    "coco.mask_size": Wording(
        _("The mask does not cover the image's %(width)s × %(height)s pixels exactly."), FIX_OBJECT
    ),
    "coco.keypoints_shape": Wording(_("The keypoints are not a list of finite numbers."), FIX_OBJECT),
    "coco.keypoint_count": Wording(
        _("The keypoints are %(found)s numbers; the category's keypoints need %(expected)s."), FIX_OBJECT
    ),
    "coco.visibility": Wording(
        _("“%(value)s” does not say how visible a keypoint is: 0 not labelled, 1 hidden, 2 visible."), FIX_OBJECT
    ),
    "coco.shapes_left_out": Wording(
        _("%(objects)s annotations say more, for %(task)s; this dataset is for %(wanted)s and takes what that needs."),
        _("Nothing to do, or upload them into a dataset for that task."),
    ),
    # Pascal VOC
    "voc.invalid": Wording(_("The XML cannot be read (%(detail)s)."), FIX_DOCUMENT),
    "voc.truncated": Wording(_("The XML ends too early."), _("The upload or the file is cut off: try again.")),
    "voc.doctype": Wording(
        _("The XML declares a document type or entities."), _("Remove the declaration: nothing is ever fetched.")
    ),
    "voc.too_deep": Wording(_("The XML is nested more than %(limit)s levels deep."), FIX_DOCUMENT),
    "voc.no_annotation": Wording(_("The XML is not an annotation of Pascal VOC."), _("Take the file out of the set.")),
    "voc.too_big": Wording(
        _("The XML files have %(bytes)s bytes in all; at most %(limit)s are allowed."), _("Upload the set in parts.")
    ),
    "voc.objects_per_image": Wording(_("The image has more than %(limit)s objects."), _("Split the image.")),
    "voc.too_many_objects": Wording(_("The set has more than %(limit)s objects."), _("Upload the set in parts.")),
    "voc.image_without_label": Wording(
        _("The image has no XML file."), _("An XML file without objects says that there is nothing to see.")
    ),
    "voc.label_without_image": Wording(_("The label has no image; it was left out."), _("Add the image.")),
    "voc.stem_shared": Wording(_("Two images, this and “%(other)s”, share one label file."), RENAME),
    "voc.box_missing": Wording(_("The object's box has no “%(edge)s”."), FIX_OBJECT),
    "voc.not_a_number": Wording(_("“%(value)s” is not a number."), FIX_OBJECT),
    "voc.not_finite": Wording(_("“%(value)s” is not a finite number."), FIX_OBJECT),
    # Folders of classes
    "imagefolder.no_class": Wording(
        _("The image lies in no folder of a class; it is taken as not labelled."),
        _("Move it into its class's folder."),
    ),
}

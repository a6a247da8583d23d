"""Words for defects of YOLO sets, of class tables, and of sets as a whole."""

from django.utils.translation import gettext_lazy as _

from apps.datasets.defects.hints import CHOOSE_LENIENT, FIX_CLASSES, FIX_ROW, FIX_YAML, KEEP_IN_ONE_SPLIT, RENAME
from apps.datasets.defects.wording import Wording

SET_WORDS: dict[str, Wording] = {
    # YOLO
    "yolo.yaml_shape": Wording(_("“%(key)s” in the YAML does not have the form expected."), FIX_YAML),
    "yolo.several_yaml": Wording(
        _("Several YAML files describe a set; this one is used, “%(other)s” is not."), _("Keep one of them.")
    ),
    "yolo.download_key": Wording(
        _("The YAML asks to download or run something."), _("Remove the line “download”: nothing is ever run.")
    ),
    "yolo.classes_missing": Wording(_("The YAML names no classes."), _("Add “names” to the YAML.")),
    "yolo.classes_inferred": Wording(
        _("No class names were found; the %(classes)s classes are named by their numbers."),
        _("Add a data.yaml or classes.txt to name them."),
    ),
    "yolo.classes_count": Wording(
        _("The YAML says %(nc)s classes and names %(names)s."), _("Make “nc” and “names” agree.")
    ),
    "class.many": Wording(_("There are more than %(limit)s classes."), FIX_CLASSES),
    "class.name": Wording(
        _("The class name “%(name)s” is empty, too long, not text, or would be run by a spreadsheet."),
        _("Use plain names of at most 100 characters."),
    ),
    "class.duplicate": Wording(_("The class name “%(name)s” occurs twice."), FIX_CLASSES),
    "yolo.class_gap": Wording(_("The class numbers do not run from 0 without gaps."), FIX_YAML),
    "class.unused": Wording(_("The class “%(name)s” does not occur."), _("Nothing to do, unless you miss labels.")),
    "yolo.split_missing": Wording(
        _("The YAML's “%(split)s” (%(value)s) was not found in the set."), _("Correct the path in the YAML.")
    ),
    "yolo.split_empty": Wording(_("The split “%(split)s” holds no image."), _("Add images, or remove the line.")),
    "yolo.listed_image_missing": Wording(_("The listed image “%(image)s” is not in the set."), _("Add the image.")),
    "yolo.split_twice": Wording(
        _("The image is listed in “%(split)s” and in “%(other)s”; the first is used."), _("List it once.")
    ),
    "yolo.outside_splits": Wording(
        _("%(images)s images belong to no split that the YAML names."), _("They are taken without a split.")
    ),
    "yolo.no_labels": Wording(
        _("The set has no labels."),
        _("Labels can be added later; nothing can be trained yet. Where they are in a further format, choose it."),
    ),
    "yolo.image_without_label": Wording(
        _("The image has no label file."), _("An empty label file says that there is nothing to see.")
    ),
    "yolo.label_without_image": Wording(_("The label has no image; it was left out."), _("Add the image.")),
    "yolo.stem_shared": Wording(_("Two images, this and “%(other)s”, share one label file."), RENAME),
    "yolo.column_count": Wording(
        _("The row has %(found)s values; a box has 5: class, centre x, centre y, width, height."), FIX_ROW
    ),
    "yolo.not_a_number": Wording(_("“%(value)s” is not a number."), FIX_ROW),
    "yolo.not_finite": Wording(_("“%(value)s” is not a finite number."), FIX_ROW),
    "yolo.class_not_integer": Wording(_("The class “%(value)s” is not a whole number from 0 up."), FIX_ROW),
    "yolo.class_range": Wording(_("The class %(value)s does not exist; there are %(classes)s (from 0 up)."), FIX_ROW),
    "yolo.coordinate_range": Wording(
        _("%(value)s is outside 0 to 1; coordinates are fractions of the image's size, not pixels."), FIX_ROW
    ),
    "yolo.box_empty": Wording(_("The box has no area."), FIX_ROW),
    "yolo.box_clipped": Wording(_("The box reaches beyond the image; it was cut at the border."), _("Nothing to do.")),
    "yolo.box_duplicate": Wording(_("The box occurs twice; one was kept."), _("Nothing to do.")),
    "yolo.polygon_odd": Wording(_("The polygon has an odd number of coordinates (%(found)s)."), FIX_ROW),
    "yolo.task_rows": Wording(
        _("%(rows)s rows (the first here) are labels for %(task)s, not for %(wanted)s."),
        CHOOSE_LENIENT,
    ),
    "yolo.keypoint_count": Wording(
        _("The row has %(found)s values; with the keypoints of the YAML it has %(expected)s."), FIX_ROW
    ),
    "yolo.keypoints_unknown": Wording(
        _("The YAML does not say how many keypoints an object has."),
        _("Add “kpt_shape” to the YAML, as [keypoints, 2 or 3]."),
    ),
    "yolo.visibility": Wording(
        _("“%(value)s” does not say how visible a keypoint is: 0 not labelled, 1 hidden, 2 visible."), FIX_ROW
    ),
    "yolo.row_long": Wording(_("The row has more than %(limit)s values."), _("Simplify the outline.")),
    "yolo.boxes_per_image": Wording(_("The image has more than %(limit)s objects."), _("Split the image.")),
    "yolo.too_many_boxes": Wording(_("The set has more than %(limit)s objects."), _("Upload the set in parts.")),
    "yolo.labels_too_big": Wording(
        _("The label files have %(bytes)s bytes in all; at most %(limit)s are allowed."), _("Upload the set in parts.")
    ),
    # Whole sets
    "set.no_images": Wording(_("No image was found."), _("Upload a folder or archive with images.")),
    "set.file_ignored": Wording(_("The file is neither image nor label; it was left out."), _("Nothing to do.")),
    "set.labels_replaced": Wording(
        _(
            "The dataset has another file of this name. Labels of images that are not in this upload stay in the "
            "dataset (%(images)s images), but no uploaded file would hold them any more: exports have them, a ZIP of the "
            "files as they came has not."
        ),
        _("Give the file another name and upload again, or replace everything."),
    ),
    "set.task": Wording(
        _("The labels are for %(task)s; this dataset is for %(wanted)s."),
        _("Upload them into a dataset for that task. The task can be changed while a dataset is empty."),
    ),
    "set.duplicate_image": Wording(_("The image is the same as “%(other)s”."), _("One of the two can go.")),
    "set.leak": Wording(
        _("The image is the same as “%(other)s” in the split “%(split)s”."),
        KEEP_IN_ONE_SPLIT,
    ),
    "set.near_duplicate": Wording(
        _("The image looks almost the same as “%(other)s”."),
        _("Look at both: where one is a copy of the other in another size or quality, one of the two can go."),
    ),
    "set.near_leak": Wording(
        _("The image looks almost the same as “%(other)s” in the split “%(split)s”."), KEEP_IN_ONE_SPLIT
    ),
    "set.known_image": Wording(
        _("The dataset has the image already, as “%(other)s”."), _("Leave it out, or replace everything.")
    ),
    "set.known_leak": Wording(
        _("The dataset has the image already, as “%(other)s” in the split “%(split)s”."), KEEP_IN_ONE_SPLIT
    ),
    "set.known_near": Wording(
        _("The image looks almost the same as “%(other)s”, which the dataset has already."),
        _("Look at both: where one is a copy of the other in another size or quality, leave it out."),
    ),
    "set.known_near_leak": Wording(
        _("The image looks almost the same as “%(other)s”, which the dataset has in the split “%(split)s”."),
        KEEP_IN_ONE_SPLIT,
    ),
}

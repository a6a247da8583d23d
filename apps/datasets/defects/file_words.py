"""Words for defects of paths, archives, images and texts."""

from django.utils.translation import gettext_lazy as _

from apps.datasets.defects.hints import FIX_YAML, RENAME, REPACK, REPLACE_IMAGE
from apps.datasets.defects.wording import Wording

FILE_WORDS: dict[str, Wording] = {
    # Paths
    "path.absolute": Wording(_("The path is absolute."), _("Use paths relative to the set's own folder.")),
    "path.traversal": Wording(_("The path leads out of the set with “..”."), RENAME),
    "path.backslash": Wording(_("The path contains a backslash."), _("Pack the set with forward slashes.")),
    "path.drive": Wording(_("The path begins with a drive letter."), _("Use paths relative to the set's own folder.")),
    "path.control": Wording(_("The name contains a control character."), RENAME),
    "path.forbidden": Wording(_("The name contains “%(character)s”, which is not allowed."), RENAME),
    "path.encoding": Wording(_("The name is not readable text."), REPACK),
    "path.component_long": Wording(_("A name is %(bytes)s bytes long; at most %(limit)s are possible."), RENAME),
    "path.long": Wording(_("The path is %(bytes)s bytes long; at most %(limit)s are possible."), RENAME),
    "path.deep": Wording(_("The path is %(depth)s folders deep; at most %(limit)s are possible."), RENAME),
    "path.empty": Wording(_("A member has no name."), REPACK),
    "path.duplicate": Wording(_("The path occurs twice."), _("Keep one of the two.")),
    "path.collision": Wording(
        _("The path differs from “%(other)s” only in upper and lower case or in how accents are written."), RENAME
    ),
    "path.file_and_folder": Wording(_("The same path is a file and a folder."), RENAME),
    "path.link": Wording(_("The member is a link."), _("Put the file itself in its place.")),
    "path.special": Wording(_("The member is a device, pipe or socket."), _("Take it out of the set.")),
    "path.decoded": Wording(
        _("The name was not marked as Unicode and was read as %(encoding)s."),
        _("If the name looks wrong, pack the set again with UTF-8 names."),
    ),
    "path.windows": Wording(
        _("Windows cannot hold a file of this name."), _("Rename it if somebody will unpack the set under Windows.")
    ),
    "path.dropped": Wording(_("A file that systems leave behind was left out."), _("Nothing to do.")),
    # Archives
    "archive.empty_file": Wording(_("The file is empty (0 bytes)."), _("Upload it again.")),
    "archive.no_members": Wording(_("The archive holds no files."), _("Pack the set's folder and upload again.")),
    "archive.not_archive": Wording(
        _("This is not an archive; it looks like %(kind)s."), _("Upload a ZIP, TAR or TAR.GZ file, or a folder.")
    ),
    "archive.unrecognised": Wording(
        _("This is not an archive that can be read."), _("Upload a ZIP, TAR or TAR.GZ file, or a folder.")
    ),
    "archive.truncated": Wording(_("The archive ends too early."), _("The upload or the file is cut off: try again.")),
    "archive.corrupt": Wording(_("The archive is damaged (%(detail)s)."), REPACK),
    "archive.crc": Wording(_("The member's checksum is wrong: its content is damaged."), REPACK),
    "archive.size_mismatch": Wording(_("The member's content is not as long as the archive says."), REPACK),
    "archive.encrypted": Wording(_("The member is encrypted."), _("Pack the set without a password.")),
    "archive.method": Wording(
        _("The member is packed with a method that is not supported (%(method)s)."), _("Use ordinary ZIP (deflate).")
    ),
    "archive.multi_disk": Wording(_("The archive is split over several files."), _("Pack the set into one file.")),
    "archive.foreign_bytes": Wording(_("Bytes that are not part of the archive stand before or after it."), REPACK),
    "archive.overlap": Wording(_("Members of the archive overlap."), REPACK),
    "archive.header_mismatch": Wording(_("The archive names this member in two different ways."), REPACK),
    "archive.nested": Wording(
        _("An archive lies inside the archive."), _("Unpack it, and upload one archive or the folder.")
    ),
    "archive.too_many_members": Wording(
        _("There are %(members)s files; at most %(limit)s are allowed at once."), _("Upload the set in parts.")
    ),
    "archive.too_big": Wording(
        _("Unpacked, the set is larger than the %(limit)s bytes that are left."),
        _("Free some space, ask for a larger quota, or upload a smaller set."),
    ),
    "archive.member_too_big": Wording(_("The file is larger than %(limit)s bytes."), _("Take it out of the set.")),
    "archive.ratio": Wording(
        _("The content is packed more than %(limit)s times: this is how archive bombs look."), REPACK
    ),
    "archive.too_slow": Wording(_("Unpacking took longer than %(limit)s seconds."), _("Upload the set in parts.")),
    "archive.modes_dropped": Wording(
        _("%(members)s members carry special permissions; they were dropped."), _("Nothing to do.")
    ),
    # Images
    "image.empty": Wording(_("The image is empty (0 bytes)."), REPLACE_IMAGE),
    "image.too_big": Wording(_("The image file is larger than %(limit)s bytes."), REPLACE_IMAGE),
    "image.truncated": Wording(_("The image ends too early."), REPLACE_IMAGE),
    "image.corrupt": Wording(_("The image is damaged (%(detail)s)."), REPLACE_IMAGE),
    "image.undecodable": Wording(_("The image cannot be decoded (%(detail)s)."), REPLACE_IMAGE),
    "image.pixels": Wording(
        _("The image has %(width)s × %(height)s pixels; at most %(limit)s in all are allowed."), REPLACE_IMAGE
    ),
    "image.frames": Wording(_("The image has more than %(limit)s frames or pages."), REPLACE_IMAGE),
    "image.first_frame": Wording(_("The image has %(frames)s frames; only the first is used."), _("Nothing to do.")),
    "image.text_bomb": Wording(_("Packed text or profiles in the image unfold to too many bytes."), REPLACE_IMAGE),
    "image.svg": Wording(_("SVG drawings are not taken as images."), _("Convert it to PNG.")),
    "image.not_image": Wording(_("The file is not an image, whatever its name says."), REPLACE_IMAGE),
    "image.unsupported": Wording(
        _("Images in this format or coding (%(format)s) are not supported."), _("Convert it to JPEG or PNG.")
    ),
    "image.extension": Wording(_("The image is %(format)s, its name says otherwise."), _("Nothing to do.")),
    "image.orientation": Wording(
        _("The image's orientation (%(value)s) is not one that exists; it is taken as upright."), _("Nothing to do.")
    ),
    "image.trailing_bytes": Wording(_("%(bytes)s bytes follow the end of the image."), _("Nothing to do.")),
    # Text and YAML
    "text.encoding": Wording(_("The file is not readable as text."), _("Save it as UTF-8.")),
    "text.utf16": Wording(_("The file is UTF-16; it was read as such."), _("Better save it as UTF-8.")),
    "text.too_big": Wording(
        _("The file has %(bytes)s bytes; at most %(limit)s are allowed."), _("Split or shorten it.")
    ),
    "yaml.invalid": Wording(_("The YAML cannot be read (%(detail)s)."), FIX_YAML),
    "yaml.alias": Wording(_("Anchors and aliases are not allowed in the YAML."), FIX_YAML),
    "yaml.tag": Wording(_("The tag “%(tag)s” is not allowed in the YAML."), FIX_YAML),
    "yaml.duplicate_key": Wording(_("The key “%(key)s” occurs twice."), FIX_YAML),
    "yaml.too_deep": Wording(_("The YAML is nested more than %(limit)s levels deep."), FIX_YAML),
    "yaml.too_long": Wording(_("The YAML has more than %(limit)s values."), FIX_YAML),
}

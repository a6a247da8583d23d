"""What every format offers: a set in a staging folder, read in one pass over its images."""

import hashlib
from collections.abc import Callable, Iterator

from apps.datasets.archives import Staged
from apps.datasets.defects import ERROR, BadInput, DefectLog
from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.limits import SetLimits
from apps.datasets.formats.model import Annotation, ParsedItem
from apps.datasets.formats.tree import Tree
from apps.datasets.images import ImageFacts, ImageLimits, inspect

#: Called after each image with its size in bytes.
OnImage = Callable[[int], None]


class AnnotatedSet:
    """A set of one format. `table` and `task` are final once `items` has been read to its end.

    `wanted` is the task that the labels are wanted for, None for whatever they are. `task` is what they are for, None
    where there are none.
    """

    def __init__(
        self,
        tree: Tree,
        log: DefectLog,
        *,
        wanted: str | None = None,
        limits: SetLimits | None = None,
        image_limits: ImageLimits | None = None,
    ) -> None:
        self.tree = tree
        self.log = log
        self.wanted = wanted
        self.limits = limits or SetLimits()
        self.image_limits = image_limits or ImageLimits()
        self.task: str | None = None
        #: The file that describes the set, for defects of the set as a whole.
        self.description_path: str | None = None
        if not tree.images:
            raise BadInput("set.no_images")

    @property
    def staged(self) -> Staged:
        return self.tree.staged

    @property
    def table(self) -> tuple[ClassInfo, ...]:
        """The classes by number."""
        raise NotImplementedError

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes by number."""
        return tuple(found.name for found in self.table)

    def items(self, on_image: OnImage | None = None) -> Iterator[ParsedItem]:
        """Yield every sound image in path order with its annotation; what is wrong goes to the log.

        Raises BadInput when the set as a whole goes beyond its limits.
        """
        for path in self.tree.images:
            member = self.tree.files[path]
            facts, digest = self._image(path, member.size, member.sha256)
            annotation = self._annotation(path, facts)
            if facts is not None:
                yield ParsedItem(
                    path, self._split(path), digest, member.size, facts, annotation, self._label_path(path)
                )
            if on_image is not None:
                on_image(member.size)
        self._finish()

    def _image(self, path: str, size: int, sha256: str | None) -> tuple[ImageFacts | None, str]:
        """Read the image once, for its digest and its facts."""
        if size > self.image_limits.file_bytes:
            self.log.add("image.too_big", ERROR, path, limit=self.image_limits.file_bytes)
            return None, ""
        data = self.staged.read(path)
        facts, defects = inspect(data, name=path, limits=self.image_limits)
        if defects:
            self.log.extend(defects)
        return facts, sha256 or hashlib.sha256(data).hexdigest()

    def _annotation(self, path: str, facts: ImageFacts | None) -> Annotation | None:
        """The labels of an image; asked also where the image is not sound, so that their defects are told."""
        raise NotImplementedError

    def _split(self, path: str) -> str | None:
        raise NotImplementedError

    def _label_path(self, path: str) -> str | None:
        """The file with the labels of this image alone."""
        return None

    def _finish(self) -> None:
        """Called when the last image was read."""

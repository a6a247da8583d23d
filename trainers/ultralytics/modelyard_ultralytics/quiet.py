"""Keeps the library to itself: no network, no installation, no shared settings, readable lines in the log.

`prepare` must be called before `ultralytics` is first imported, because the library reads its switches then.
"""

import functools
import importlib
import logging
import os
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelyard_trainer import Failure

SWITCHES = {
    "YOLO_OFFLINE": "true",  # no look-ups of well-known hosts at import
    "YOLO_AUTOINSTALL": "false",  # never installs packages while it runs
    "ULTRALYTICS_SAFE_LOAD": "1",  # checkpoints may hold known model classes and tensors, nothing that runs code
}
# Each of these would become active by itself as soon as its package can be imported.
INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "neptune", "raytune", "tensorboard", "wandb")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Fonts that know Hangul and Han as well as Latin, in the places where Debian, Ubuntu and Fedora put them.
WIDE_FONTS = ("*/NanumGothic.ttf", "**/NotoSansCJK-Regular.ttc", "**/NotoSansKR*.[ot]tf", "**/UnDotum.ttf")
FONT_FOLDER = Path("/usr/share/fonts")


def prepare(folder: Path) -> None:
    """Sets the library's switches; `folder` becomes this attempt's own place for its settings and fonts."""
    settings = folder / "Ultralytics"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ.update(SWITCHES)
    os.environ["YOLO_CONFIG_DIR"] = str(folder)
    os.environ["MPLCONFIGDIR"] = str(_font_cache(folder))
    os.environ["MPLBACKEND"] = "Agg"
    _link_fonts(settings)


def _font_cache(folder: Path) -> Path:
    """Where matplotlib keeps its list of fonts: beside the environment, since making it costs seconds.

    matplotlib insists on a folder that it can write to; in an image, where it cannot, the list made there is copied.
    """
    shared, own = Path(sys.prefix) / "var" / "matplotlib", folder / "matplotlib"
    try:
        shared.mkdir(parents=True, exist_ok=True)
    except OSError:
        return own
    if os.access(shared, os.W_OK):
        return shared
    own.mkdir(parents=True, exist_ok=True)
    for fonts in shared.glob("fontlist-*.json"):
        shutil.copyfile(fonts, own / fonts.name)
    return own


def _link_fonts(settings: Path) -> None:
    """Puts fonts under the two names that the library looks for; it would download them otherwise."""
    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("bad_environment", "matplotlib is missing from the trainer's environment")
    plain = Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    wide = next((font for pattern in WIDE_FONTS for font in FONT_FOLDER.glob(pattern)), plain)
    for name, font in (("Arial.ttf", plain), ("Arial.Unicode.ttf", wide)):
        if not (settings / name).exists():
            (settings / name).symlink_to(font)


class _WithoutColours(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = COLOURS.sub("", record.getMessage())
        record.args = ()
        return True


def import_library() -> Any:
    """The `ultralytics` package, silenced: no integrations, no progress bars, no colours. Needs `prepare` first."""
    ultralytics = importlib.import_module("ultralytics")
    utils = importlib.import_module("ultralytics.utils")
    known = {name: False for name in (*INTEGRATIONS, "sync", "hub", "vscode_msg") if name in utils.SETTINGS}
    utils.SETTINGS.update(known)
    utils.LOGGER.addFilter(_WithoutColours())
    bar = utils.TQDM
    if not hasattr(bar.__init__, "__wrapped__"):
        bar.__init__ = _disabled(bar.__init__)
    return ultralytics


def _disabled(construct: Any) -> Any:
    @functools.wraps(construct)
    def constructed(self: Any, *arguments: Any, **options: Any) -> None:
        construct(self, *arguments, **{**options, "disable": True})

    return constructed

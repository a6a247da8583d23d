"""Where datumaro is installed: an environment of its own in the portal's cache, built from a lock file when it is needed."""

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

from django.conf import settings
from django.utils.translation import gettext as _
from modelyard_trainer.environments import Environment, Progress, ensure_lock, is_complete, locked_environment

FOLDER = Path(__file__).resolve().parents[3] / "readers" / "datumaro"
LOCK = FOLDER / "requirements.txt"


def is_built() -> bool:
    return is_complete(locked_environment(LOCK, settings.CACHE_DIR))


def build(progress: Progress = lambda fraction, message: None) -> Environment:
    """The environment, built when it is not there yet: half a gigabyte, some minutes. Raises `BuildError`."""
    return ensure_lock(LOCK, settings.CACHE_DIR, progress=progress)


def reason_off() -> str:
    """Why nothing can be read here, for people; "" when it can."""
    if not settings.DATASET_DATUMARO:
        return _("Those who run the portal have not switched the reading of further formats on.")
    if lack() is not None:
        return _("This machine cannot shut the reader of further formats in (%(detail)s).") % {"detail": lack()}
    return ""


@functools.cache
def lack() -> str | None:
    """Why a process cannot be shut in on this machine, None when it can: unconfined, nothing is read."""
    found = _confinement().lack()
    return None if found is None else str(found)


def _confinement() -> ModuleType:
    # The reader's own module, which knows nothing but Python: what it would do there is asked here.
    place = FOLDER / "modelyard_datumaro" / "confinement.py"
    spec = importlib.util.spec_from_file_location("modelyard_datumaro_confinement", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

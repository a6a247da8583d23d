"""Where the browser of the browser tests is."""

import os
import shutil


def chromium() -> str:
    """The program that `make chromium` sees to: the one without a window where it is there, a third cheaper to run.

    Fails where there is none: a skipped journey would look like a passed one.
    """
    found = os.environ.get("MODELYARD_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert found, "chromium is needed: `make test` installs it"
    return found

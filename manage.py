#!/usr/bin/env python3
"""Command line of Modelyard: `python manage.py up` runs everything, `help` lists the rest."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# `platform/` is a folder of ours beside the standard module of that name: it is put on the path, never imported.
for folder in (ROOT / "trainers" / "sdk", ROOT, ROOT / "platform"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def main() -> None:
    if sys.argv[1:2] == ["up"] and "--quiet" not in sys.argv:
        # Loading takes seconds on a cold disk; something is seen at once.
        print("  starting  Modelyard", flush=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
    try:
        from django.core.management import execute_from_command_line  # import here: the message below names the cure
    except ImportError as error:
        raise SystemExit(
            f"{error}. Run `make up`, or activate the environment that `make` builds in .venv."
        ) from error
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

"""`python -m tests.security.fuzzing.again <target> <file>…`: takes inputs once more, without atheris.

Prints the processor's seconds that each takes. What failed fails again, with its traceback.
"""

import sys
import tempfile
import time
from pathlib import Path

from django.conf import settings

from tests.security.fuzzing.targets import TARGETS


def main() -> None:
    settings.configure(USE_I18N=False)
    target = TARGETS[sys.argv[1]]
    for name in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as folder:
            # What is made once is made before the clock runs.
            target.take(b"", Path(folder))
            begun = time.process_time()
            target.take(Path(name).read_bytes(), Path(folder))
            print(f"{time.process_time() - begun:.3f} {name}", flush=True)


if __name__ == "__main__":
    main()

"""Measurements side by side: `python -m tests.benchmarks.<name>` runs one, `make bench` all of them."""

import tests.services  # noqa: F401 - puts the project's folders on the path

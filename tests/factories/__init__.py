"""Rows for tests, and the samples that matrices fill addresses with. Every module here is loaded by tests/conftest.py:
an app joins by adding `tests/factories/<app>.py` with factories and `@sample` functions."""

"""Inputs made by a fuzzer that follows coverage (atheris), against everything that reads what people upload.

A target takes bytes and lets them through the door that an upload takes. It accepts what is sound and what is refused
with a code; anything else that it raises is a finding. `tests/security/test_fuzzed_inputs.py` runs each in a process of
its own, `python -m tests.security.fuzzing.again <target> <file>` takes one input once more, without atheris.
"""

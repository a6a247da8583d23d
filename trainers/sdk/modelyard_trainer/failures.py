"""The one exception by which a trainer says that the work cannot be done."""

from collections.abc import Mapping
from typing import Any

from modelyard_trainer.exit_codes import FAILURE_EXITS, ExitCode


class Failure(Exception):
    """The work failed for a reason that a person should read.

    `code` is stable (`bad_config`, `bad_data`, `out_of_memory`, `mode_not_honoured`, `diverged` or a code of the
    trainer's own), `message` says what happened, `hint` what to do about it, `params` holds JSON values for
    translated texts.
    """

    def __init__(self, code: str, message: str, *, hint: str | None = None, params: Mapping[str, Any] | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.params = dict(params or {})

    @property
    def exit_code(self) -> ExitCode:
        return FAILURE_EXITS.get(self.code, ExitCode.CRASHED)

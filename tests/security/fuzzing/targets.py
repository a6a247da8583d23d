"""All targets by name."""

from tests.security.fuzzing import archives, labels, pictures
from tests.security.fuzzing.given import Target

TARGETS: dict[str, Target] = {**archives.TARGETS, **pictures.TARGETS, **labels.TARGETS}

"""How images are divided where a rule over single paths is not enough: pure functions, the same for the same seed."""

from apps.datasets.splitting.grouped import divide_groups
from apps.datasets.splitting.patterns import BadPattern, check_pattern
from apps.datasets.splitting.stratified import stratify

__all__ = ["BadPattern", "check_pattern", "divide_groups", "stratify"]

"""One rule per permission: a function `actor → Q` that lists filter with and single objects are asked with.

    @rule("projects.change_project", on="projects.Project", needs=_("owner of the project"))
    def change_project(actor: Actor) -> Q: …

`Model.objects.permitted(actor, permission)` filters, `require(actor, permission, obj)` asks the same queryset about
one row, `who(permission, obj)` lists the people, `lack_of(actor, permission, obj)` says to whom it is refused what
role would be enough and who can give it. Creation asks the container: `add_dataset` is a rule on the project.

Rules go by `actor.rights` alone, so that what they say can be kept for the next request (`subqueries`).
"""

from apps.core.policy.querysets import PermittedQuerySet
from apps.core.policy.refusals import (
    Holder,
    Lack,
    lack_of,
    lack_of_role,
    organization_closing,
    register_closing,
    register_holder,
    require,
    require_open,
)
from apps.core.policy.rules import (
    NOBODY,
    Rule,
    allows,
    anywhere,
    condition,
    condition_if_open,
    containers,
    is_ruled,
    lies_in,
    names,
    outside_scope,
    register_candidates,
    register_narrowing,
    require_scope,
    require_visible_still,
    rule,
    rule_of,
    through,
    who,
)
from apps.core.policy.subqueries import kept

__all__ = [
    "NOBODY",
    "Holder",
    "Lack",
    "PermittedQuerySet",
    "Rule",
    "allows",
    "anywhere",
    "condition",
    "condition_if_open",
    "containers",
    "is_ruled",
    "kept",
    "lack_of",
    "lack_of_role",
    "lies_in",
    "names",
    "organization_closing",
    "outside_scope",
    "register_candidates",
    "register_closing",
    "register_holder",
    "register_narrowing",
    "require",
    "require_open",
    "require_scope",
    "require_visible_still",
    "rule",
    "rule_of",
    "through",
    "who",
]

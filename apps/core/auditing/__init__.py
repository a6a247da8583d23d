"""The door to the audit log. Services call `record`; the app `audit` registers the sink that stores it.

Every action code is registered with a label and a sentence in the reader's language; personal values are wrapped in
`Personal` so that the sink can store them under a key that erasure destroys.
"""

from apps.core.auditing.actions import Action, action_of, action_shown, actions, label_in, register_action
from apps.core.auditing.records import (
    MOST_MENTIONS,
    AuditRecord,
    Mention,
    Personal,
    because,
    collect,
    is_collecting,
    record,
    register_sink,
)

__all__ = [
    "MOST_MENTIONS",
    "Action",
    "AuditRecord",
    "Mention",
    "Personal",
    "action_of",
    "action_shown",
    "actions",
    "because",
    "collect",
    "is_collecting",
    "label_in",
    "record",
    "register_action",
    "register_sink",
]

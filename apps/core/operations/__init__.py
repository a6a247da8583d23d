"""The decorator under which every write of the product stands.

    @operation("projects.project_rename", permission="projects.change_project", on="project")
    def project_rename(*, actor: Actor, project: Project, name: str) -> Project: …

It requires the actor, asks the policy about the argument named by `on`, opens the transaction, and checks that the
row returned may still be viewed by the actor (unless it `hides` the row) and that the outermost operation wrote exactly
one audit event (inner operations' events become its children). `ingest` is for the high-rate writes of machines, which
carry a token and are not audited.
"""

from apps.core.operations.registry import Operation, all_operations, ingest, operation, refuse_keys

__all__ = ["Operation", "all_operations", "ingest", "operation", "refuse_keys"]

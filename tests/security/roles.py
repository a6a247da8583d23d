"""Who may do what in the own organization: one row for every REST operation, socket, page, and model of the admin.

A row names a pattern, and a pattern says what each actor gets. The patterns, the operations and the sockets stand here,
the pages and the admin in `roles_pages.py`. `test_roles.py` walks the schema, `test_roles_pages.py` the URLconf and the
admin, and `test_tenancy_sockets.py` the sockets; each sends a request that is right in everything but, perhaps, its
sender, and fails for a door without a row. What people of another organization get stands in `tenancy.py`. The actors
are those of `actors.py`:

- no members of the project: `nobody` (not signed in), two API keys of the administrator (`narrow` looks at machines
  only, `elsewhere` may do everything in another project), and the five roles of the organization;
- members of the project: `added`, a guest with the role of an editor, and engineers I as `viewer`, `editor`, `owner`.

Cells: `ok` is done, or refused for the object's state alone (the codes in the row's `state`); a number is the status of
the refusal, after which nothing is changed; `in` leads to the sign-in page; `-` follows from the others and is not
tried: the project plays no part, or an editor may what a viewer may, and an owner what an editor may. 404 is for who
cannot see it, 403 for who sees it and may not act, 400 for who cannot see what the body names; a form says 422 there,
where a choice is none of theirs.

Engineers II and engineers I have the same column wherever there is no share with one of them: no rule tells them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.security.actors import Who

TABLE = """
                nobody narrow elsewhere guest engineer_i engineer_ii manager admin   added viewer editor owner
EVERYBODY       ok     ok     ok        ok    ok         ok          ok      ok      -     -      -      -
ANY_KEY         401    ok     ok        ok    ok         ok          ok      ok      -     -      -      -
LISTS           401    403    ok        ok    ok         ok          ok      ok      -     -      -      -
PERSONS         401    403    403       ok    ok         ok          ok      ok      -     -      -      -
FOUNDERS        401    400    403       ok    ok         ok          ok      ok      -     -      -      -
MEMBERS         401    403    404       ok    ok         ok          ok      ok      -     -      -      -
LINK            ok     403    403       ok    ok         ok          ok      ok      -     -      -      -
ADDRESSEE       ok     403    403       403   403        403         403     403     -     -      -      -

COLLEAGUES      401    403    ok        404   ok         ok          ok      ok      404   -      -      -
ENGINEERS       401    403    404       404   ok         ok          ok      ok      404   -      -      -
KEY_MAKERS      401    400    403       403   ok         ok          ok      ok      403   -      -      -
MANAGERS        401    403    403       403   403        403         ok      ok      403   -      -      403
PEOPLES_HEADS   401    403    403       404   403        403         ok      ok      404   -      -      403
MANAGERS_ONLY   401    403    404       404   404        404         ok      ok      404   -      -      404
RELEASERS       401    403    404       404   403        403         ok      ok      403   -      -      403
ADMINS          401    403    403       403   403        403         403     ok      403   -      -      403
CLOSERS         401    403    404       403   403        403         403     ok      403   -      -      403
ADMINS_ADD      401    400    403       403   403        403         403     ok      403   -      -      403
ADMINS_ONLY     401    403    404       404   404        404         404     ok      404   -      -      404
PLATFORM        401    403    403       403   403        403         403     403     403   -      -      403

READERS         401    403    404       404   404        404         ok      ok      ok    ok     -      -
LISTENERS       401    404    404       404   404        404         ok      ok      ok    ok     -      -
EDITORS         401    403    404       404   404        404         ok      ok      ok    403    ok     -
EDITORS_ONLY    401    403    404       404   404        404         ok      ok      ok    404    ok     -
IMPORTERS       401    403    404       404   404        404         ok      ok      400   403    ok     -
CONTRIBUTORS    401    400    400       400   400        400         ok      ok      ok    403    ok     -
COLLECTORS      401    400    400       400   400        400         ok      ok      403   403    ok     -
WITHDRAWERS     401    403    404       404   403        403         ok      ok      ok    403    ok     -
OWNERS          401    403    404       404   404        404         ok      ok      403   -      403    ok
OWNERS_ONLY     401    403    404       404   404        404         ok      ok      404   -      404    ok
HOSTS           401    403    404       404   404        404         ok      ok      400   403    403    ok
SHARERS         401    400    404       400   404        404         ok      ok      400   403    403    ok
SHARED          401    403    404       404   ok         404         ok      ok      404   404    404    ok
LENDERS         401    403    404       404   403        404         ok      ok      404   404    404    ok

CHOOSERS        in     in     in        422   422        422         ok      ok      ok    422    ok     -
FILLERS         in     in     in        422   422        422         ok      ok      422   422    ok     -
TAKERS          in     in     in        404   404        404         ok      ok      404   403    ok     -

SENDER          401    403    404       404   404        404         404     404     404   404    404    ok
SELF            401    403    403       404   404        404         404     404     404   -      404    ok
KEY_OWNER       401    403    404       404   404        404         403     403     404   404    404    ok
KEY_ENDERS      401    403    404       404   404        404         403     ok      404   404    404    ok
"""
OK = "ok"


@dataclass(frozen=True)
class Pattern:
    """A line of the table: what each actor gets who is tried."""

    name: str
    #: Keys are the columns: of `Who`, or of the admin's `Staff`.
    cells: Mapping[Any, str]


def patterns_of(table: str, columns: list[str]) -> dict[str, Pattern]:
    head, *lines = [line.split() for line in table.splitlines() if line.strip()]
    assert head == columns
    found = {}
    for name, *cells in lines:
        found[name] = Pattern(name, {who: cell for who, cell in zip(columns, cells, strict=True) if cell != "-"})
    return found


PATTERNS = patterns_of(TABLE, list(Who))


@dataclass(frozen=True)
class Row:
    """`state` are the codes that stand for `ok` too. `why` is for people."""

    pattern: str
    state: frozenset[int] | set[int] = field(default_factory=frozenset)
    why: str = ""

    @property
    def cells(self) -> Mapping[Who, str]:
        return PATTERNS[self.pattern].cells


#: operationId of the OpenAPI schema → row.
REST: dict[str, Row] = {
    "api_endpoints_list": Row("ANY_KEY"),
    "api_keys_create": Row("KEY_MAKERS"),
    "api_keys_list": Row("LISTS"),
    "api_keys_partial_update": Row("KEY_OWNER"),
    "api_keys_retrieve": Row("OWNERS_ONLY"),
    "api_keys_revoke_create": Row("KEY_ENDERS"),
    "api_keys_rotate_create": Row("KEY_OWNER"),
    "api_keys_scopes_list": Row("ANY_KEY"),
    "api_keys_usage_retrieve": Row("OWNERS_ONLY"),
    "audit_checks_create": Row("MANAGERS"),
    "audit_checks_list": Row("LISTS"),
    "audit_checks_retrieve": Row("MANAGERS_ONLY"),
    "audit_heads_list": Row("LISTS"),
    "audit_logs_entity_export": Row("READERS"),
    "audit_logs_entity_list": Row("READERS"),
    "audit_logs_list": Row("LISTS"),
    "audit_logs_me_export": Row("LISTS"),
    "audit_logs_me_list": Row("LISTS"),
    "audit_logs_organization_export": Row("MANAGERS"),
    "audit_logs_organization_list": Row("MANAGERS"),
    "audit_logs_project_export": Row("OWNERS"),
    "audit_logs_project_list": Row("OWNERS"),
    "audit_logs_verifier_retrieve": Row("ANY_KEY"),
    "auth_password_change": Row("PERSONS"),
    "auth_password_forgot": Row("EVERYBODY"),
    "auth_password_reset": Row("EVERYBODY"),
    "auth_sign_up": Row("EVERYBODY"),
    "auth_token_issue": Row("EVERYBODY", state={404}, why="404: of no organization"),
    "auth_token_mfa": Row("EVERYBODY"),
    "auth_token_refresh": Row("EVERYBODY"),
    "auth_token_revoke": Row("PERSONS"),
    "auth_verify_email": Row("EVERYBODY"),
    "datasets_analyze_create": Row("EDITORS"),
    "datasets_compare_images_retrieve": Row("READERS"),
    "datasets_compare_retrieve": Row("READERS"),
    "datasets_create": Row("COLLECTORS"),
    "datasets_destroy": Row("EDITORS"),
    "datasets_download_create": Row("READERS"),
    "datasets_download_retrieve": Row("READERS"),
    "datasets_duplicate_images_retrieve": Row("READERS"),
    "datasets_duplicates_retrieve": Row("LISTS"),
    "datasets_export_create": Row("READERS"),
    "datasets_export_retrieve": Row("READERS"),
    "datasets_exports_cancel_create": Row("EDITORS"),
    "datasets_exports_destroy": Row("EDITORS"),
    "datasets_exports_download_create": Row("READERS"),
    "datasets_exports_download_retrieve": Row("READERS"),
    "datasets_exports_list": Row("READERS"),
    "datasets_exports_retrieve": Row("READERS"),
    "datasets_formats_list": Row("ANY_KEY"),
    "datasets_images_content_retrieve": Row("READERS"),
    "datasets_images_count_retrieve": Row("READERS"),
    "datasets_images_delete_create": Row("EDITORS"),
    "datasets_images_list": Row("READERS"),
    "datasets_images_move_create": Row("EDITORS"),
    "datasets_images_retrieve": Row("READERS"),
    "datasets_images_tag_create": Row("EDITORS"),
    "datasets_images_thumbnail_retrieve": Row("READERS"),
    "datasets_images_untag_create": Row("EDITORS"),
    "datasets_import_create": Row("IMPORTERS"),
    "datasets_integrity_create": Row("EDITORS"),
    "datasets_integrity_retrieve": Row("READERS"),
    "datasets_list": Row("LISTS"),
    "datasets_most_used_list": Row("LISTS"),
    "datasets_organization_list": Row("LISTS"),
    "datasets_partial_update": Row("EDITORS"),
    "datasets_public_download_create": Row("MEMBERS"),
    "datasets_public_download_retrieve": Row("MEMBERS"),
    "datasets_public_images_content_retrieve": Row("MEMBERS"),
    "datasets_public_images_list": Row("MEMBERS"),
    "datasets_public_images_retrieve": Row("MEMBERS"),
    "datasets_public_images_thumbnail_retrieve": Row("MEMBERS"),
    "datasets_public_list": Row("LISTS"),
    "datasets_public_retrieve": Row("MEMBERS"),
    "datasets_public_statistics_retrieve": Row("MEMBERS"),
    "datasets_purge_create": Row("EDITORS_ONLY"),
    "datasets_release_create": Row("RELEASERS", why="it is public already: the organization's engineers see it"),
    "datasets_restore_create": Row("EDITORS_ONLY"),
    "datasets_retrieve": Row("READERS"),
    "datasets_server_folders_list": Row("LISTS"),
    "datasets_server_folders_retrieve": Row("ENGINEERS"),
    "datasets_snapshots_create": Row("EDITORS"),
    "datasets_snapshots_destroy": Row("EDITORS"),
    "datasets_snapshots_list": Row("READERS"),
    "datasets_snapshots_retrieve": Row("READERS"),
    "datasets_split_destroy": Row("EDITORS"),
    "datasets_split_retrieve": Row("READERS"),
    "datasets_split_update": Row("EDITORS"),
    "datasets_statistics_retrieve": Row("READERS"),
    "datasets_trash_list": Row("LISTS"),
    "datasets_uploads_analyze_create": Row("EDITORS_ONLY"),
    "datasets_uploads_create": Row("EDITORS"),
    "datasets_uploads_destroy": Row("EDITORS_ONLY"),
    "datasets_uploads_direct_complete_create": Row("SENDER"),
    "datasets_uploads_direct_create": Row("SENDER"),
    "datasets_uploads_direct_destroy": Row("SENDER"),
    "datasets_uploads_direct_parts_create": Row("SENDER"),
    "datasets_uploads_files_update": Row("EDITORS_ONLY"),
    "datasets_uploads_known_create": Row("EDITORS_ONLY"),
    "datasets_uploads_list": Row("READERS"),
    "datasets_uploads_parts_join_create": Row(
        "EDITORS_ONLY", state={409}, why="the parts may lie on the disk only once"
    ),
    "datasets_uploads_parts_retrieve": Row("EDITORS_ONLY"),
    "datasets_uploads_parts_update": Row("EDITORS_ONLY"),
    "datasets_uploads_preview_retrieve": Row("EDITORS_ONLY"),
    "datasets_uploads_publish_create": Row("EDITORS_ONLY"),
    "datasets_uploads_retrieve": Row("EDITORS_ONLY"),
    "datasets_usage_retrieve": Row("READERS"),
    "datasets_versions_auto_increment_create": Row("EDITORS"),
    "datasets_versions_list": Row("READERS"),
    "datasets_versions_restore_create": Row("EDITORS"),
    "datasets_withdraw_create": Row("WITHDRAWERS", why="as above; taking back needs no manager"),
    "experiments_create": Row("CONTRIBUTORS"),
    "experiments_destroy": Row("EDITORS"),
    "experiments_list": Row("LISTS"),
    "experiments_partial_update": Row("EDITORS"),
    "experiments_purge_create": Row("EDITORS_ONLY"),
    "experiments_restore_create": Row("EDITORS_ONLY"),
    "experiments_retrieve": Row("READERS"),
    "experiments_runs_list": Row("READERS"),
    "experiments_runs_retrieve": Row("READERS"),
    "experiments_trash_list": Row("LISTS"),
    "inference_jobs_create": Row("EDITORS"),
    "inference_jobs_events_retrieve": Row("READERS"),
    "inference_jobs_inputs_content_retrieve": Row("READERS"),
    "inference_jobs_list": Row("LISTS"),
    "inference_jobs_predictions_retrieve": Row("READERS"),
    "inference_jobs_retrieve": Row("READERS"),
    "inference_jobs_stop_create": Row("EDITORS"),
    "invitations_accept": Row("ADDRESSEE"),
    "invitations_bulk_create": Row("MANAGERS"),
    "invitations_cancel_create": Row("MANAGERS_ONLY"),
    "invitations_create": Row("MANAGERS"),
    "invitations_decline": Row("LINK"),
    "invitations_info_retrieve": Row("EVERYBODY"),
    "invitations_list": Row("LISTS"),
    "invitations_resend_create": Row("MANAGERS_ONLY"),
    "invitations_retrieve": Row("MANAGERS_ONLY"),
    "me_destroy": Row("PERSONS", state={409}, why="owns a project, or is the last administrator"),
    "me_partial_update": Row("PERSONS"),
    "me_permissions_retrieve": Row("ANY_KEY"),
    "me_retrieve": Row("ANY_KEY"),
    "nodes_list": Row("ANY_KEY"),
    "nodes_retrieve": Row("ANY_KEY"),
    "organizations_create": Row("PERSONS"),
    "organizations_deletion_create": Row("ADMINS"),
    "organizations_deletion_destroy": Row("CLOSERS"),
    "organizations_deletion_retrieve": Row("MEMBERS"),
    "organizations_exports_create": Row("ADMINS"),
    "organizations_exports_download_retrieve": Row("ADMINS_ONLY"),
    "organizations_exports_list": Row("LISTS"),
    "organizations_exports_retrieve": Row("ADMINS_ONLY"),
    "organizations_list": Row("LISTS"),
    "organizations_members_approve_create": Row("PEOPLES_HEADS"),
    "organizations_members_destroy": Row("PEOPLES_HEADS"),
    "organizations_members_list": Row("LISTS"),
    "organizations_members_partial_update": Row("PEOPLES_HEADS"),
    "organizations_members_reinstate_create": Row("PEOPLES_HEADS"),
    "organizations_members_retrieve": Row("COLLEAGUES"),
    "organizations_members_suspend_create": Row("PEOPLES_HEADS"),
    "organizations_partial_update": Row("ADMINS"),
    "organizations_quotas_list": Row("LISTS"),
    "organizations_quotas_partial_update": Row("PLATFORM"),
    "organizations_retrieve": Row("LISTS"),
    "organizations_single_sign_on_create": Row("ADMINS"),
    "organizations_single_sign_on_destroy": Row("ADMINS_ONLY"),
    "organizations_single_sign_on_partial_update": Row("ADMINS_ONLY"),
    "organizations_single_sign_on_retrieve": Row("ADMINS_ONLY"),
    "organizations_single_sign_on_test": Row("ADMINS_ONLY"),
    "projects_archive_create": Row("OWNERS", state={409}, why="work is going on in it"),
    "projects_create": Row("FOUNDERS"),
    "projects_destroy": Row("OWNERS"),
    "projects_list": Row("LISTS"),
    "projects_members_create": Row("HOSTS"),
    "projects_members_destroy": Row("OWNERS"),
    "projects_members_list": Row("READERS"),
    "projects_members_partial_update": Row("OWNERS"),
    "projects_members_retrieve": Row("READERS"),
    "projects_partial_update": Row("OWNERS"),
    "projects_purge_create": Row("OWNERS_ONLY"),
    "projects_restore_create": Row("OWNERS_ONLY"),
    "projects_retrieve": Row("READERS"),
    "projects_transfer_create": Row("OWNERS"),
    "projects_trash_list": Row("LISTS"),
    "projects_unarchive_create": Row("OWNERS_ONLY"),
    "resource_groups_create": Row("ADMINS_ADD"),
    "resource_groups_list": Row("LISTS"),
    "resource_groups_partial_update": Row("ADMINS"),
    "resource_groups_retrieve": Row("LISTS"),
    "sessions_destroy": Row("SELF"),
    "sessions_list": Row("PERSONS"),
    "sessions_revoke_others": Row("PERSONS"),
    "shares_access_retrieve": Row("READERS"),
    "shares_create": Row("SHARERS"),
    "shares_destroy": Row("SHARED"),
    "shares_list": Row("READERS"),
    "shares_partial_update": Row("LENDERS"),
    "shares_retrieve": Row("SHARED", why="engineer I is whom it is shared with"),
    "trainers_config_schema_retrieve": Row("ANY_KEY"),
    "trainers_list": Row("ANY_KEY"),
    "trainers_retrieve": Row("ANY_KEY"),
    "training_jobs_artifacts_content_retrieve": Row("READERS"),
    "training_jobs_artifacts_list": Row("READERS"),
    "training_jobs_checkpoints_content_retrieve": Row("READERS"),
    "training_jobs_checkpoints_list": Row("READERS"),
    "training_jobs_clone_create": Row("EDITORS"),
    "training_jobs_create": Row("CONTRIBUTORS"),
    "training_jobs_destroy": Row("EDITORS"),
    "training_jobs_events_retrieve": Row("READERS"),
    "training_jobs_forecast_retrieve": Row("READERS"),
    "training_jobs_list": Row("LISTS"),
    "training_jobs_logs_retrieve": Row("READERS"),
    "training_jobs_metrics_retrieve": Row("READERS"),
    "training_jobs_partial_update": Row("EDITORS"),
    "training_jobs_resume_create": Row("EDITORS"),
    "training_jobs_retrieve": Row("READERS"),
    "training_jobs_retry_create": Row("EDITORS"),
    "training_jobs_schedule_create": Row("EDITORS"),
    "training_jobs_schedule_destroy": Row("EDITORS", state={409}),
    "training_jobs_start_create": Row("EDITORS"),
    "training_jobs_stop_create": Row("EDITORS"),
    "ws_tickets_create": Row("ANY_KEY"),
}

#: Route of a WebSocket (`modelyard.routing`) → row: 401 closes with 4401, and so on. A socket tells no key its scope.
SOCKETS: dict[str, Row] = {
    "ws/inference-jobs/<uuid:pk>/": Row("LISTENERS"),
    "ws/training-jobs/<uuid:pk>/": Row("LISTENERS"),
}

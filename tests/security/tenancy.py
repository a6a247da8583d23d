"""What people of another organization get: one row for every door of the product.

Every REST operation, service operation, page, admin model and socket has a row here; `test_tenancy.py` walks the
schema, the registries and the URLconf, tries each as the administrator of another organization and as nobody, and
fails for a door without a row. docs/recipes/add-an-operation.md says how to add one.

Expectations:
- `HIDDEN`   404, as if the object did not exist (REST), `NotFound` (operations), 404 (pages), back to the index (admin)
- `OWN`      it works, and shows and touches what is one's own only
- `REFUSED`  400: the foreign object named in the body is no valid choice
- `OPEN`     everybody may, signed in or not; it shows nothing of anybody
- `STAFF`    403: of the platform's administrators only
- `MACHINE`  401 for every person: it takes the token of a machine
- `CHECKED`  an operation without a permission: it authorises by itself, and the tests named in the row prove how

`OWN`, `REFUSED` and `HIDDEN` ask the anonymous to sign in: 401 over REST, the sign-in page in the portal and the admin.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from apps.core.testing import Cast


class Gets(StrEnum):
    HIDDEN = "hidden"
    OWN = "own"
    REFUSED = "refused"
    OPEN = "open"
    STAFF = "staff"
    MACHINE = "machine"
    CHECKED = "checked"


HIDDEN, OWN, REFUSED, OPEN, STAFF, MACHINE, CHECKED = Gets


@dataclass(frozen=True)
class Row:
    """`body` is sent with the request: a value, or a function of the cast. `why` is for people.

    `samples` names other samples than the address or the model would: `{"projects": "trashed-project"}`; `query` is a
    function of the cast that returns what stands behind the `?`.
    """

    gets: Gets
    body: Any = None
    why: str = ""
    samples: dict[str, str] = field(default_factory=dict)
    query: Callable[[Cast], str] | None = None


def foreign_organization(field: str, **others: Any) -> Callable[[Cast], dict[str, Any]]:
    return lambda cast: {field: str(cast.sample("organization").pk), **others}


def invited(cast: Cast, **others: str) -> dict[str, Any]:
    """The body of an invitation to the first organization."""
    target = {"target_type": "organization", "target_id": str(cast.sample("organization").pk)}
    return {**target, "role": "guest", **others}


def shared_dataset(cast: Cast) -> dict[str, str]:
    return {"object_type": "dataset", "object_id": str(cast.sample("dataset").pk)}


def compared(cast: Cast) -> str:
    """Two versions of the dataset, by name."""
    return urlencode({"dataset_id": cast.sample("dataset").pk, "before": "r1", "after": "head"})


def previewed(cast: Cast) -> str:
    """Path of a picture of the analysed upload."""
    return str(cast.sample("analysed-upload").analysis["preview"][0]["path"])


LAUNCHER = "of a launcher, whose token the attempt API checks"
ITSELF = "of the portal's own workers; no person's door leads here"

#: operationId of the OpenAPI schema → row.
REST: dict[str, Row] = {
    "audit_checks_create": Row(OWN),
    "audit_checks_list": Row(OWN),
    "audit_checks_retrieve": Row(HIDDEN),
    "audit_heads_list": Row(OWN),
    "audit_logs_entity_export": Row(HIDDEN),
    "audit_logs_entity_list": Row(HIDDEN),
    "api_endpoints_list": Row(OWN),
    "api_keys_create": Row(
        REFUSED,
        foreign_organization(
            "organization_id", name="Planted", scopes=["projects.view_project"], expires_at="2026-12-01"
        ),
    ),
    "api_keys_list": Row(OWN),
    "api_keys_partial_update": Row(HIDDEN, {"name": "Taken over"}),
    "api_keys_retrieve": Row(HIDDEN),
    "api_keys_revoke_create": Row(HIDDEN),
    "api_keys_rotate_create": Row(HIDDEN),
    "api_keys_scopes_list": Row(OWN),
    "api_keys_usage_retrieve": Row(HIDDEN),
    "audit_logs_list": Row(OWN),
    "audit_logs_me_export": Row(OWN),
    "audit_logs_me_list": Row(OWN),
    "audit_logs_organization_export": Row(OWN),
    "audit_logs_organization_list": Row(OWN),
    "audit_logs_project_export": Row(HIDDEN),
    "audit_logs_project_list": Row(HIDDEN),
    "audit_logs_verifier_retrieve": Row(OWN, why="the program is everybody's"),
    "auth_password_change": Row(REFUSED, {"old_password": "x", "password": "a long passphrase"}, "not the old one"),
    "auth_password_forgot": Row(OPEN, {"email": "nobody@example.com"}),
    "auth_password_reset": Row(OPEN, {"key": "unknown", "password": "a long passphrase"}, "400: it is the way in"),
    "auth_sign_up": Row(OPEN, {"email": "new@example.com", "password": "a long passphrase", "company": "New"}),
    "auth_token_issue": Row(OPEN, {"email": "nobody@example.com", "password": "x"}, "401: it is the way in"),
    "auth_token_mfa": Row(OPEN, {"challenge": "unknown", "code": "000000"}, "401: it is the way in"),
    "auth_token_refresh": Row(OPEN, {"refresh": "unknown"}, "401: it is the way in"),
    "auth_token_revoke": Row(OWN, {"refresh": "somebody else's"}, "204 whether or not the token is known"),
    "auth_verify_email": Row(OPEN, {"key": "unknown", "password": "a long passphrase"}),
    "datasets_analyze_create": Row(HIDDEN),
    "datasets_compare_images_retrieve": Row(HIDDEN, query=compared),
    "datasets_compare_retrieve": Row(HIDDEN, query=compared),
    "datasets_create": Row(REFUSED, lambda cast: {"project_id": str(cast.sample("project").pk), "name": "Planted"}),
    "datasets_destroy": Row(HIDDEN),
    "datasets_download_create": Row(HIDDEN),
    "datasets_download_retrieve": Row(HIDDEN),
    "datasets_duplicate_images_retrieve": Row(HIDDEN),
    "datasets_duplicates_retrieve": Row(OWN),
    "datasets_export_create": Row(HIDDEN),
    "datasets_export_retrieve": Row(HIDDEN, query=lambda cast: "format=yolo"),
    "datasets_exports_cancel_create": Row(HIDDEN, samples={"datasets/exports": "waiting-export"}),
    "datasets_exports_destroy": Row(HIDDEN),
    "datasets_exports_download_create": Row(HIDDEN),
    "datasets_exports_download_retrieve": Row(HIDDEN),
    "datasets_exports_list": Row(HIDDEN),
    "datasets_exports_retrieve": Row(HIDDEN),
    "datasets_images_content_retrieve": Row(HIDDEN),
    "datasets_images_list": Row(HIDDEN),
    "datasets_images_retrieve": Row(HIDDEN),
    "datasets_images_thumbnail_retrieve": Row(HIDDEN),
    "datasets_import_create": Row(HIDDEN, {"source": "address", "url": "https://example.com/shapes.zip"}),
    "datasets_integrity_create": Row(HIDDEN),
    "datasets_integrity_retrieve": Row(HIDDEN),
    "datasets_list": Row(OWN),
    "datasets_most_used_list": Row(OWN),
    "datasets_partial_update": Row(HIDDEN),
    "datasets_restore_create": Row(HIDDEN, samples={"datasets": "trashed-dataset"}),
    "datasets_retrieve": Row(HIDDEN),
    "datasets_server_folders_list": Row(OWN),
    "datasets_server_folders_retrieve": Row(HIDDEN),
    "datasets_snapshots_create": Row(HIDDEN),
    "datasets_snapshots_destroy": Row(HIDDEN),
    "datasets_snapshots_list": Row(HIDDEN),
    "datasets_snapshots_retrieve": Row(HIDDEN),
    "datasets_split_destroy": Row(HIDDEN),
    "datasets_split_retrieve": Row(HIDDEN),
    "datasets_split_update": Row(HIDDEN),
    "datasets_uploads_analyze_create": Row(HIDDEN),
    "datasets_uploads_create": Row(HIDDEN),
    "datasets_uploads_destroy": Row(HIDDEN),
    "datasets_uploads_files_update": Row(HIDDEN),
    "datasets_uploads_list": Row(HIDDEN),
    "datasets_uploads_preview_retrieve": Row(
        HIDDEN, samples={"datasets/uploads": "analysed-upload"}, query=lambda cast: f"path={previewed(cast)}"
    ),
    "datasets_uploads_publish_create": Row(HIDDEN),
    "datasets_uploads_retrieve": Row(HIDDEN),
    "datasets_usage_retrieve": Row(HIDDEN),
    "datasets_versions_auto_increment_create": Row(HIDDEN),
    "datasets_versions_list": Row(HIDDEN),
    "datasets_versions_restore_create": Row(HIDDEN, {"version": "r1"}),
    "experiments_create": Row(REFUSED, lambda cast: {"project_id": str(cast.sample("project").pk), "name": "Planted"}),
    "experiments_destroy": Row(HIDDEN),
    "experiments_list": Row(OWN),
    "experiments_partial_update": Row(HIDDEN, {"name": "Taken over"}),
    "experiments_restore_create": Row(HIDDEN, samples={"experiments": "trashed-experiment"}),
    "experiments_retrieve": Row(HIDDEN),
    "experiments_runs_list": Row(HIDDEN),
    "experiments_runs_retrieve": Row(HIDDEN),
    "inference_jobs_create": Row(HIDDEN, lambda cast: {"checkpoint_id": str(cast.sample("tried-checkpoint").pk)}),
    "inference_jobs_events_retrieve": Row(HIDDEN),
    "inference_jobs_inputs_content_retrieve": Row(HIDDEN),
    "inference_jobs_predictions_retrieve": Row(HIDDEN, samples={"inference-jobs": "predicted-inference-job"}),
    "inference_jobs_list": Row(OWN),
    "inference_jobs_retrieve": Row(HIDDEN),
    "inference_jobs_stop_create": Row(HIDDEN),
    "me_permissions_retrieve": Row(OWN),
    "invitations_accept": Row(
        OPEN, {}, "the link is the key: tests/invitations/test_answers.py", samples={"invitations": "ended-link"}
    ),
    "invitations_bulk_create": Row(HIDDEN, lambda cast: invited(cast, csv="new@example.com")),
    "invitations_cancel_create": Row(HIDDEN),
    "invitations_create": Row(HIDDEN, lambda cast: invited(cast, email="new@example.com")),
    "invitations_decline": Row(OPEN, why="the link is the key", samples={"invitations": "ended-link"}),
    "invitations_info_retrieve": Row(OPEN, why="the link is the key", samples={"invitations": "ended-link"}),
    "invitations_list": Row(OWN),
    "invitations_resend_create": Row(HIDDEN),
    "invitations_retrieve": Row(HIDDEN),
    "me_destroy": Row(
        REFUSED, {"email": "stranger@example.com", "password": "not the stranger's"}, "not without the password"
    ),
    "me_partial_update": Row(OWN, {"name": "stranger"}),
    "me_retrieve": Row(OWN),
    "nodes_list": Row(OWN),
    "nodes_retrieve": Row(HIDDEN),
    "organizations_deletion_create": Row(
        HIDDEN, lambda cast: {"name": str(cast.sample("organization")), "reason": "Planted"}
    ),
    "organizations_deletion_destroy": Row(HIDDEN, samples={"organizations": "closing-organization"}),
    "organizations_deletion_retrieve": Row(HIDDEN, samples={"organizations": "closing-organization"}),
    "organizations_exports_create": Row(HIDDEN),
    "organizations_exports_download_retrieve": Row(HIDDEN),
    "organizations_exports_list": Row(HIDDEN),
    "organizations_exports_retrieve": Row(HIDDEN),
    "organizations_list": Row(OWN),
    "organizations_members_approve_create": Row(HIDDEN, samples={"organizations/members": "pending-membership"}),
    "organizations_members_destroy": Row(HIDDEN),
    "organizations_members_list": Row(HIDDEN),
    "organizations_members_partial_update": Row(HIDDEN, {"role": "guest"}),
    "organizations_members_reinstate_create": Row(HIDDEN, samples={"organizations/members": "suspended-membership"}),
    "organizations_members_retrieve": Row(HIDDEN),
    "organizations_members_suspend_create": Row(HIDDEN),
    "organizations_partial_update": Row(HIDDEN, {"company": "Taken over"}),
    "organizations_quotas_list": Row(HIDDEN),
    "organizations_quotas_partial_update": Row(HIDDEN, {"max_users": 1}),
    "organizations_retrieve": Row(HIDDEN),
    "organizations_single_sign_on_create": Row(
        HIDDEN, {"short_name": "x", "issuer": "https://192.0.2.1", "client_id": "x", "client_secret": "x"}
    ),
    "organizations_single_sign_on_destroy": Row(HIDDEN, samples={"organizations": "with-connection"}),
    "organizations_single_sign_on_partial_update": Row(
        HIDDEN, {"is_enabled": False}, samples={"organizations": "with-connection"}
    ),
    "organizations_single_sign_on_retrieve": Row(HIDDEN, samples={"organizations": "with-connection"}),
    "organizations_single_sign_on_test": Row(HIDDEN, samples={"organizations": "with-connection"}),
    "projects_archive_create": Row(HIDDEN),
    "projects_create": Row(REFUSED, foreign_organization("organization_id", name="Planted")),
    "projects_destroy": Row(HIDDEN),
    "projects_list": Row(OWN),
    "projects_members_create": Row(HIDDEN, lambda cast: {"user_id": str(cast.stranger.user.pk), "role": "owner"}),
    "projects_members_destroy": Row(HIDDEN),
    "projects_members_list": Row(HIDDEN),
    "projects_members_partial_update": Row(HIDDEN, {"role": "viewer"}),
    "projects_members_retrieve": Row(HIDDEN),
    "projects_partial_update": Row(HIDDEN, {"name": "Taken over"}),
    "projects_restore_create": Row(HIDDEN, samples={"projects": "trashed-project"}),
    "projects_retrieve": Row(HIDDEN),
    "projects_transfer_create": Row(HIDDEN, lambda cast: {"user_id": str(cast.stranger.user.pk)}),
    "projects_unarchive_create": Row(HIDDEN),
    "resource_groups_create": Row(REFUSED, foreign_organization("organization_id", name="Planted")),
    "resource_groups_list": Row(OWN),
    "resource_groups_partial_update": Row(HIDDEN, {"name": "Taken over"}),
    "resource_groups_retrieve": Row(HIDDEN),
    "shares_access_retrieve": Row(HIDDEN, query=lambda cast: urlencode(shared_dataset(cast))),
    "shares_create": Row(
        HIDDEN,
        lambda cast: {**shared_dataset(cast), "user_id": str(cast.stranger.user.pk), "level": "view"},
    ),
    "shares_destroy": Row(HIDDEN),
    "shares_list": Row(HIDDEN, query=lambda cast: urlencode(shared_dataset(cast))),
    "shares_partial_update": Row(HIDDEN, {"level": "manage"}),
    "shares_retrieve": Row(HIDDEN),
    "sessions_destroy": Row(HIDDEN, why="what one may end is looked up among one's own sign-ins"),
    "sessions_list": Row(OWN),
    "sessions_revoke_others": Row(OWN),
    "trainers_config_schema_retrieve": Row(OWN, why="trainers belong to the installation"),
    "trainers_list": Row(OWN, why="trainers belong to the installation"),
    "trainers_retrieve": Row(OWN, why="trainers belong to the installation"),
    "training_jobs_artifacts_content_retrieve": Row(HIDDEN),
    "training_jobs_artifacts_list": Row(HIDDEN),
    "training_jobs_checkpoints_content_retrieve": Row(HIDDEN),
    "training_jobs_checkpoints_list": Row(HIDDEN),
    "training_jobs_clone_create": Row(HIDDEN),
    "training_jobs_create": Row(
        REFUSED, lambda cast: {"project_id": str(cast.sample("project").pk), "name": "Planted", "trainer": "reference"}
    ),
    "training_jobs_destroy": Row(HIDDEN),
    "training_jobs_events_retrieve": Row(HIDDEN),
    "training_jobs_forecast_retrieve": Row(HIDDEN),
    "training_jobs_list": Row(OWN),
    "training_jobs_logs_retrieve": Row(HIDDEN),
    "training_jobs_metrics_retrieve": Row(HIDDEN),
    "training_jobs_partial_update": Row(HIDDEN),
    "training_jobs_resume_create": Row(HIDDEN),
    "training_jobs_retrieve": Row(HIDDEN),
    "training_jobs_retry_create": Row(HIDDEN),
    "training_jobs_start_create": Row(HIDDEN),
    "training_jobs_stop_create": Row(HIDDEN),
    "ws_tickets_create": Row(OWN),
}

#: Name of an operation or ingest (`apps.core.operations`) → row. `HIDDEN` is checked; `CHECKED` names its tests.
OPERATIONS: dict[str, Row] = {
    "accounts.factor_note": Row(CHECKED, why=ITSELF),
    "accounts.profile_update": Row(HIDDEN),
    "accounts.sessions_end_all": Row(HIDDEN),
    "accounts.sessions_end_others": Row(HIDDEN, why="one's own"),
    "accounts.sign_in_end": Row(HIDDEN),
    "accounts.sign_in_paused_note": Row(CHECKED, why=ITSELF),
    "accounts.user_create": Row(CHECKED, why="tests/accounts/test_people.py: platform administrators only"),
    "accounts.user_deactivate": Row(CHECKED, why="tests/accounts/test_people.py: platform administrators only"),
    "accounts.user_reactivate": Row(CHECKED, why="tests/accounts/test_people.py: platform administrators only"),
    "audit.check_begin": Row(CHECKED, why=ITSELF),
    "audit.check_end": Row(CHECKED, why=ITSELF),
    "audit.check_request": Row(
        CHECKED, why="tests/audit/test_checks.py: who follows the organization, and the platform"
    ),
    "audit.export": Row(CHECKED, why="tests/audit/test_exports.py: whose rows one may read"),
    "audit.head_sign": Row(CHECKED, why="ingest of beat, and part of an export"),
    "audit.organization_forget": Row(CHECKED, why="tests/audit/test_erasure.py: platform administrators only"),
    "audit.person_forget": Row(CHECKED, why="tests/audit/test_erasure.py: platform administrators only"),
    "apikeys.key_change": Row(HIDDEN),
    "apikeys.key_create": Row(HIDDEN),
    "apikeys.key_note_use": Row(CHECKED, why=ITSELF),
    "apikeys.key_revoke": Row(HIDDEN),
    "apikeys.key_rotate": Row(HIDDEN),
    "apikeys.outside_scope_note": Row(CHECKED, why="tests/apikeys/test_keys.py: of the key at hand only"),
    "apikeys.idempotent_request_begin": Row(
        CHECKED, why="tests/apikeys/test_idempotency.py: the caller's own requests"
    ),
    "apikeys.idempotent_request_finish": Row(CHECKED, why=ITSELF),
    "apikeys.idempotent_request_forget": Row(CHECKED, why=ITSELF),
    "apikeys.idempotent_requests_sweep": Row(CHECKED, why=ITSELF),
    "apikeys.usage_add": Row(CHECKED, why=ITSELF),
    "apikeys.usage_sweep": Row(CHECKED, why=ITSELF),
    "audit.seal": Row(CHECKED, why="ingest of beat, takes no object"),
    "core.selected_delete": Row(CHECKED, why="tests/audit/test_operations.py: each object by its own operation"),
    "datasets.blobs_forget": Row(CHECKED, why=ITSELF),
    "datasets.blob_note_damage": Row(CHECKED, why=ITSELF),
    "datasets.blobs_note_decoding": Row(CHECKED, why=ITSELF),
    "datasets.blobs_note_whole": Row(CHECKED, why=ITSELF),
    "datasets.check_begin": Row(CHECKED, why=ITSELF),
    "datasets.check_end": Row(HIDDEN),
    "datasets.check_fail": Row(CHECKED, why=ITSELF),
    "datasets.check_note": Row(CHECKED, why=ITSELF),
    "datasets.dataset_change": Row(HIDDEN),
    "datasets.dataset_create": Row(HIDDEN),
    "datasets.dataset_download": Row(HIDDEN),
    "datasets.manifest_download": Row(HIDDEN),
    "datasets.pictures_note": Row(HIDDEN),
    "datasets.dataset_publish": Row(HIDDEN),
    "datasets.dataset_restore": Row(HIDDEN, samples={"datasets.Dataset": "trashed-dataset"}),
    "datasets.dataset_trash": Row(HIDDEN),
    "datasets.export_begin": Row(CHECKED, why=ITSELF),
    "datasets.export_cancel": Row(HIDDEN, samples={"datasets.Export": "waiting-export"}),
    "datasets.export_delete": Row(HIDDEN),
    "datasets.export_download": Row(HIDDEN),
    "datasets.export_fail": Row(CHECKED, why=ITSELF),
    "datasets.export_finish": Row(CHECKED, why=ITSELF),
    "datasets.export_note": Row(CHECKED, why=ITSELF),
    "datasets.export_request": Row(HIDDEN),
    "datasets.exports_expire": Row(CHECKED, why=ITSELF),
    "datasets.head_hash": Row(CHECKED, why=ITSELF),
    "datasets.import_fail": Row(CHECKED, why=ITSELF),
    "datasets.integrity_check": Row(HIDDEN),
    "datasets.server_folder_allow": Row(HIDDEN),
    "datasets.server_folder_change": Row(HIDDEN),
    "datasets.server_folder_forbid": Row(HIDDEN),
    "datasets.snapshot_create": Row(HIDDEN),
    "datasets.snapshot_delete": Row(HIDDEN),
    "datasets.snapshot_record": Row(HIDDEN),
    "datasets.split_remove": Row(HIDDEN),
    "datasets.split_set": Row(HIDDEN),
    "datasets.upload_analyse": Row(HIDDEN),
    "datasets.upload_cancel": Row(HIDDEN),
    "datasets.upload_count": Row(CHECKED, why="inner half of receiving a file, which asks for the upload first"),
    "datasets.upload_create": Row(HIDDEN),
    "datasets.upload_import": Row(HIDDEN),
    "datasets.upload_note_fetched": Row(CHECKED, why=ITSELF),
    "datasets.upload_note_fetching": Row(CHECKED, why=ITSELF),
    "datasets.upload_note_analysis": Row(CHECKED, why=ITSELF),
    "datasets.upload_note_failure": Row(CHECKED, why=ITSELF),
    "datasets.upload_note_progress": Row(CHECKED, why=ITSELF),
    "datasets.upload_note_swept": Row(CHECKED, why=ITSELF),
    "datasets.upload_publish": Row(HIDDEN),
    "datasets.uploads_give_up": Row(CHECKED, why=ITSELF),
    "departures.account_delete": Row(CHECKED, why="tests/departures/test_accounts.py: one's own account"),
    "departures.deletion_begin": Row(CHECKED, why=ITSELF),
    "departures.deletion_cancel": Row(HIDDEN),
    "departures.deletion_end": Row(CHECKED, why=ITSELF),
    "departures.deletion_schedule": Row(HIDDEN),
    "departures.export_begin": Row(CHECKED, why=ITSELF),
    "departures.export_download": Row(HIDDEN),
    "departures.export_expire": Row(CHECKED, why=ITSELF),
    "departures.export_fail": Row(CHECKED, why=ITSELF),
    "departures.export_finish": Row(CHECKED, why=ITSELF),
    "departures.export_note": Row(CHECKED, why=ITSELF),
    "departures.export_request": Row(HIDDEN),
    "departures.objects_note": Row(CHECKED, why=ITSELF),
    "departures.person_erase": Row(HIDDEN),
    "departures.rows_remove": Row(CHECKED, why=ITSELF),
    "datasets.version_restore": Row(HIDDEN),
    "evaluation.inference_create": Row(HIDDEN),
    "evaluation.predictions_download": Row(HIDDEN),
    "experiments.experiment_change": Row(HIDDEN),
    "experiments.experiment_create": Row(HIDDEN),
    "experiments.experiment_restore": Row(HIDDEN, samples={"experiments.Experiment": "trashed-experiment"}),
    "experiments.experiment_trash": Row(HIDDEN),
    "experiments.run_end": Row(CHECKED, why=ITSELF),
    "experiments.run_log_artifact": Row(CHECKED, why=ITSELF),
    "experiments.run_log_metrics": Row(CHECKED, why=ITSELF),
    "experiments.run_reopen": Row(CHECKED, why=ITSELF),
    "experiments.run_start": Row(CHECKED, why=ITSELF),
    "invitations.invitation_accept": Row(CHECKED, why="tests/invitations/test_answers.py: link and address"),
    "invitations.invitation_cancel": Row(HIDDEN),
    "invitations.invitation_create": Row(
        CHECKED, why="tests/invitations/test_permissions.py: the target's permission"
    ),
    "invitations.invitation_decline": Row(CHECKED, why="tests/invitations/test_answers.py: the link"),
    "invitations.invitation_resend": Row(HIDDEN),
    "invitations.invitation_sign_up": Row(CHECKED, why="tests/invitations/test_answers.py: the link"),
    "invitations.invitations_create": Row(
        CHECKED, why="tests/invitations/test_permissions.py: the target's permission"
    ),
    "invitations.invitations_expire": Row(HIDDEN),
    "invitations.mail_arm": Row(CHECKED, why=ITSELF),
    "invitations.mail_note_sent": Row(CHECKED, why=ITSELF),
    "jobs.attempt_arm": Row(CHECKED, why=LAUNCHER),
    "jobs.attempt_end": Row(CHECKED, why=LAUNCHER),
    "jobs.attempt_heartbeat": Row(CHECKED, why=LAUNCHER),
    "jobs.attempt_hello": Row(CHECKED, why=LAUNCHER),
    "jobs.attempt_lost": Row(CHECKED, why=ITSELF),
    "jobs.dispatch": Row(CHECKED, why=ITSELF),
    "jobs.drain": Row(CHECKED, why=ITSELF),
    "jobs.events_append": Row(CHECKED, why=LAUNCHER),
    "jobs.file_store": Row(CHECKED, why=LAUNCHER),
    "jobs.job_ended": Row(CHECKED, why=ITSELF),
    "jobs.job_resume": Row(HIDDEN),
    "jobs.job_stop": Row(HIDDEN),
    "jobs.job_submit": Row(HIDDEN),
    "jobs.lease_over": Row(CHECKED, why=ITSELF),
    "jobs.log_append": Row(CHECKED, why=LAUNCHER),
    "jobs.reconciler_pass": Row(CHECKED, why=ITSELF),
    "organizations.membership_add": Row(HIDDEN),
    "organizations.membership_approve": Row(HIDDEN),
    "organizations.membership_change_role": Row(HIDDEN),
    "organizations.membership_reinstate": Row(HIDDEN, samples={"organizations.Membership": "suspended-membership"}),
    "organizations.membership_remove": Row(HIDDEN),
    "organizations.membership_suspend": Row(HIDDEN),
    "organizations.organization_change": Row(HIDDEN),
    "organizations.organization_create": Row(CHECKED, why="tests/organizations/test_memberships.py: platform only"),
    "organizations.organization_join": Row(CHECKED, why="tests/organizations/test_sign_up.py: one's own request"),
    "organizations.quota_change": Row(HIDDEN),
    "organizations.sign_in_failed_note": Row(CHECKED, why="names nobody"),
    "organizations.sign_up": Row(CHECKED, why="tests/organizations/test_sign_up.py"),
    "organizations.signed_in_note": Row(CHECKED, why="the actor's own"),
    "organizations.signed_out_note": Row(CHECKED, why="the actor's own"),
    "organizations.token_issue": Row(
        CHECKED, why="tests/organizations/test_tokens.py: a foreign organization is hidden"
    ),
    "organizations.token_refresh": Row(CHECKED, why="tests/organizations/test_tokens.py"),
    "organizations.token_revoke_family": Row(CHECKED, why="tests/organizations/test_tokens.py: one's own family only"),
    "organizations.tokens_end": Row(CHECKED, why="tests/organizations/test_tokens.py: the person and the platform"),
    "projects.member_add": Row(HIDDEN),
    "projects.member_change": Row(HIDDEN),
    "projects.member_remove": Row(HIDDEN),
    "projects.project_archive": Row(HIDDEN),
    "projects.project_change": Row(HIDDEN),
    "projects.project_create": Row(HIDDEN),
    "projects.project_restore": Row(HIDDEN, samples={"projects.Project": "trashed-project"}),
    "projects.project_transfer": Row(HIDDEN),
    "projects.project_trash": Row(HIDDEN),
    "projects.project_unarchive": Row(HIDDEN),
    "resources.group_change": Row(HIDDEN),
    "resources.group_create": Row(HIDDEN),
    "resources.node_change": Row(HIDDEN),
    "resources.node_drain": Row(CHECKED, why=ITSELF),
    "resources.node_register": Row(CHECKED, why=ITSELF),
    "resources.node_report": Row(CHECKED, why=ITSELF),
    "resources.nodes_check": Row(CHECKED, why=ITSELF),
    "singlesignon.connection_change": Row(HIDDEN),
    "singlesignon.connection_create": Row(HIDDEN),
    "singlesignon.connection_remove": Row(HIDDEN),
    "singlesignon.connection_test": Row(HIDDEN),
    "singlesignon.person_admit": Row(
        CHECKED,
        why="tests/singlesignon/test_sign_in.py: whom the provider vouches for, test_bad_answers.py: nobody else",
    ),
    "singlesignon.sign_in_refused_note": Row(CHECKED, why="names nobody"),
    "singlesignon.signed_in_note": Row(CHECKED, why="the actor's own"),
    "training.artifact_download": Row(HIDDEN),
    "training.checkpoint_download": Row(HIDDEN),
    "shares.share_remove": Row(
        CHECKED, why="tests/shares/test_permissions.py: who manages the object, or whose it is"
    ),
    "shares.share_set": Row(CHECKED, why="tests/shares/test_permissions.py: who manages the object"),
    "training.training_change": Row(HIDDEN),
    "training.training_clone": Row(HIDDEN),
    "training.training_create": Row(HIDDEN),
    "training.training_delete": Row(HIDDEN),
    "training.training_retry": Row(HIDDEN),
    "training.training_start": Row(HIDDEN),
}

#: Name of a URL outside `/api/v1/` and `/admin/` (its route, where it has no name; `*` stands for anything) → row.
PAGES: dict[str, Row] = {
    "accounts:session-end": Row(HIDDEN),
    "accounts:sessions": Row(OWN),
    "accounts:sessions-end-others": Row(OWN),
    "api/attempt/v1/*": Row(MACHINE),
    "api-docs": Row(OPEN),
    "api-schema": Row(OPEN),
    "audit:check": Row(OWN),
    "audit:export": Row(OWN),
    "audit:head": Row(HIDDEN),
    "audit:history": Row(HIDDEN),
    "audit:history-export": Row(HIDDEN),
    "apikeys:change": Row(HIDDEN, {"name": "Taken over"}),
    "apikeys:create": Row(OWN, {"name": "Another", "what": "read", "days": "7"}),
    "apikeys:detail": Row(HIDDEN),
    "apikeys:endpoints": Row(OWN),
    "apikeys:list": Row(OWN),
    "apikeys:revoke": Row(HIDDEN),
    "apikeys:rotate": Row(HIDDEN, {"overlap_hours": "0"}),
    "audit:list": Row(OWN),
    "audit:organization": Row(OWN),
    "audit:organization-export": Row(OWN),
    "audit:verifier": Row(OWN, why="the program is everybody's"),
    "choose-organization": Row(OWN, foreign_organization("organization"), "a foreign id chooses nothing"),
    "dashboard": Row(OWN),
    "datasets:change": Row(HIDDEN),
    "datasets:classes": Row(HIDDEN),
    "datasets:check": Row(HIDDEN),
    "datasets:compare": Row(HIDDEN),
    "datasets:create": Row(OWN),
    "datasets:delete": Row(HIDDEN),
    "datasets:detail": Row(HIDDEN),
    "datasets:download": Row(HIDDEN),
    "datasets:export-cancel": Row(HIDDEN, samples={"datasets/exports": "waiting-export"}),
    "datasets:export-delete": Row(HIDDEN),
    "datasets:export-download": Row(HIDDEN),
    "datasets:exports": Row(HIDDEN),
    "datasets:files": Row(HIDDEN),
    "datasets:history": Row(HIDDEN),
    "datasets:image": Row(HIDDEN),
    "datasets:import-address": Row(HIDDEN),
    "datasets:import-bucket": Row(HIDDEN),
    "datasets:import-folder": Row(HIDDEN),
    "datasets:list": Row(OWN),
    "datasets:restore": Row(HIDDEN, samples={"datasets": "trashed-dataset"}),
    "datasets:sharing": Row(HIDDEN),
    "datasets:snapshot-delete": Row(HIDDEN),
    "datasets:split": Row(HIDDEN),
    "datasets:split-remove": Row(HIDDEN),
    "datasets:trash": Row(OWN),
    "datasets:upload": Row(HIDDEN),
    "datasets:upload-cancel": Row(HIDDEN),
    "datasets:upload-detail": Row(HIDDEN),
    "datasets:upload-lenient": Row(HIDDEN),
    "datasets:upload-publish": Row(HIDDEN),
    "datasets:uploads": Row(HIDDEN),
    "datasets:usage": Row(HIDDEN),
    "departures:account": Row(OWN, why="the last administrator is told so"),
    "departures:cancel": Row(OWN),
    "departures:export": Row(OWN),
    "departures:overview": Row(OWN),
    "departures:schedule": Row(OWN, {"name": "Other organization", "reason": "Closing"}),
    "datasets:version-restore": Row(HIDDEN),
    "datasets:versions": Row(HIDDEN),
    "evaluation:quick-test": Row(OWN),
    "evaluation:training": Row(HIDDEN, samples={"training": "tried-checkpoint-training"}),
    "healthz": Row(OPEN),
    "invitations:accept": Row(OPEN, why="the link is the key", samples={"invite": "ended-link"}),
    "invitations:bulk": Row(HIDDEN, query=lambda cast: f"id={cast.sample('organization').pk}"),
    "invitations:cancel": Row(HIDDEN),
    "invitations:create": Row(HIDDEN, query=lambda cast: f"id={cast.sample('organization').pk}"),
    "invitations:decline": Row(OPEN, why="the link is the key", samples={"invite": "ended-link"}),
    "invitations:invite": Row(OPEN, why="the link is the key", samples={"invite": "ended-link"}),
    "invitations:list": Row(OWN),
    "invitations:resend": Row(HIDDEN),
    "invitations:sign-up": Row(OPEN, why="the link is the key", samples={"invite": "ended-link"}),
    "javascript-catalog": Row(OPEN),
    "metrics": Row(OPEN, why="loopback or METRICS_TOKEN: tests/api/test_health.py"),
    "organizations:change": Row(OWN),
    "organizations:member-approve": Row(HIDDEN, samples={"organization/members": "pending-membership"}),
    "organizations:member-reinstate": Row(HIDDEN, samples={"organization/members": "suspended-membership"}),
    "organizations:member-remove": Row(HIDDEN),
    "organizations:member-role": Row(HIDDEN, {"role": "guest"}),
    "organizations:member-suspend": Row(HIDDEN),
    "organizations:members": Row(OWN),
    "organizations:overview": Row(OWN),
    "profile": Row(OWN),
    "profile-theme": Row(OPEN, {"theme": "dark"}),
    "projects:archive": Row(HIDDEN),
    "projects:change": Row(HIDDEN, {"name": "Taken over"}),
    "projects:create": Row(OWN, {"name": "Another"}),
    "projects:delete": Row(HIDDEN),
    "projects:detail": Row(HIDDEN),
    "projects:history": Row(HIDDEN),
    "projects:list": Row(OWN),
    "projects:member-add": Row(HIDDEN, lambda cast: {"user": str(cast.stranger.user.pk), "role": "owner"}),
    "projects:member-change": Row(HIDDEN, {"role": "owner"}),
    "projects:member-remove": Row(HIDDEN),
    "projects:members": Row(HIDDEN),
    "projects:restore": Row(
        OWN, why="back to one's own trash, whatever the id", samples={"projects": "trashed-project"}
    ),
    "projects:transfer": Row(HIDDEN, lambda cast: {"user": str(cast.stranger.user.pk)}),
    "projects:trash": Row(OWN),
    "projects:unarchive": Row(HIDDEN),
    "readyz": Row(OPEN),
    "resources:change": Row(HIDDEN, {"name": "Taken over"}),
    "resources:create": Row(OWN, {"name": "Another"}),
    "resources:detail": Row(HIDDEN),
    "resources:list": Row(OWN),
    "resources:node-telemetry": Row(HIDDEN),
    "search": Row(OWN, lambda cast: {"q": cast.canary[:4]}),
    "set_language": Row(OPEN, {"language": "ko"}),
    "shares:change": Row(HIDDEN, {"level": "manage"}),
    "shares:panel": Row(HIDDEN, query=lambda cast: urlencode(shared_dataset(cast))),
    "shares:remove": Row(HIDDEN),
    "singlesignon:begin": Row(OPEN, {"who": "nobody"}),
    "singlesignon:callback": Row(
        OPEN, why="the way in; opens nothing by itself", samples={"account/single-sign-on": "connection"}
    ),
    "singlesignon:connection": Row(OWN),
    "singlesignon:remove": Row(HIDDEN, why="the other organization has none"),
    "singlesignon:test": Row(HIDDEN, why="the other organization has none"),
    "training:change": Row(HIDDEN),
    "training:checkpoints": Row(HIDDEN),
    "training:config": Row(HIDDEN),
    "training:create": Row(OWN),
    "training:forecast": Row(OWN, lambda cast: {"project": str(cast.sample("project").pk), "gpus": "1"}),
    "training:list": Row(OWN),
    "training:monitor": Row(HIDDEN),
    "training:results": Row(HIDDEN),
    # allauth's pages of signing in and of one's own account; none takes the id of an object.
    "account_*": Row(OPEN),
    # Of one's own second factors: the number in the address of a key is looked up among one's own.
    "mfa_*": Row(OPEN),
}

#: Label of a model in the admin → row. The stranger is staff and administrator of the other organization.
ADMIN: dict[str, Row] = {
    "account.EmailAddress": Row(STAFF),
    "accounts.RefreshToken": Row(HIDDEN),
    "accounts.User": Row(HIDDEN),
    "audit.AuditCheck": Row(HIDDEN),
    "apikeys.ApiKey": Row(HIDDEN),
    "apikeys.EndpointUsage": Row(HIDDEN),
    "audit.AuditEvent": Row(HIDDEN),
    "audit.AuditHead": Row(HIDDEN),
    "auth.Group": Row(STAFF),
    "core.OutboxMessage": Row(STAFF),
    "datasets.Dataset": Row(HIDDEN),
    "datasets.DatasetGroupShare": Row(HIDDEN),
    "datasets.DatasetUserShare": Row(HIDDEN),
    "datasets.Export": Row(HIDDEN),
    "datasets.IntegrityCheck": Row(HIDDEN),
    "datasets.ServerFolder": Row(HIDDEN),
    "datasets.Snapshot": Row(HIDDEN),
    "datasets.Upload": Row(HIDDEN),
    "departures.OrganizationDeletion": Row(HIDDEN),
    "departures.OrganizationExport": Row(HIDDEN),
    "departures.PersonErasure": Row(STAFF),
    "django_celery_beat.ClockedSchedule": Row(STAFF),
    "django_celery_beat.CrontabSchedule": Row(STAFF),
    "django_celery_beat.IntervalSchedule": Row(STAFF),
    "django_celery_beat.PeriodicTask": Row(STAFF),
    "django_celery_beat.SolarSchedule": Row(STAFF),
    "evaluation.InferenceJob": Row(HIDDEN),
    "experiments.Experiment": Row(HIDDEN),
    "experiments.Run": Row(HIDDEN),
    "invitations.Invitation": Row(HIDDEN),
    "jobs.Job": Row(HIDDEN),
    "mfa.Authenticator": Row(STAFF),
    "organizations.Membership": Row(HIDDEN),
    "organizations.Organization": Row(HIDDEN),
    "projects.Project": Row(HIDDEN),
    "resources.Node": Row(HIDDEN),
    "resources.ResourceGroup": Row(HIDDEN),
    "singlesignon.Connection": Row(HIDDEN),
    "training.Checkpoint": Row(HIDDEN),
    "training.TrainingJob": Row(HIDDEN),
    "training.TrainingJobGroupShare": Row(HIDDEN),
    "training.TrainingJobUserShare": Row(HIDDEN),
    "usersessions.UserSession": Row(STAFF),
}

#: Route of a WebSocket (`modelyard.routing`) → row; `HIDDEN` closes with 4404, and with 4401 for the anonymous.
SOCKETS: dict[str, Row] = {
    "ws/inference-jobs/<uuid:pk>/": Row(HIDDEN),
    "ws/training-jobs/<uuid:pk>/": Row(HIDDEN),
}

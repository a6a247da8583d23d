"""The database puts every event on the sealer's list, and refuses to change or remove signed heads."""

from django.db import migrations

CREATE = """
CREATE FUNCTION audit_event_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_auditwaiting (event_id, chain)
        SELECT id, coalesce(organization_id, '00000000-0000-0000-0000-000000000000') FROM fresh;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_event_waits AFTER INSERT ON audit_auditevent
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit_event_waits();
CREATE TRIGGER audit_head_append_only BEFORE UPDATE OR DELETE ON audit_audithead
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
INSERT INTO audit_auditwaiting (event_id, chain)
    SELECT event.id, coalesce(event.organization_id, '00000000-0000-0000-0000-000000000000')
    FROM audit_auditevent event LEFT JOIN audit_auditseal seal ON seal.event_id = event.id
    WHERE seal.event_id IS NULL;
"""

DROP = """
DROP TRIGGER audit_head_no_truncate ON audit_audithead;
DROP TRIGGER audit_head_append_only ON audit_audithead;
DROP TRIGGER audit_event_waits ON audit_auditevent;
DROP FUNCTION audit_event_waits();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_encrypted_content")]
    operations = [migrations.RunSQL(CREATE, DROP)]

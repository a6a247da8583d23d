"""Who may do what with API keys, through every door."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.testing import Cast, PermissionMatrix, Persona

pytestmark = pytest.mark.world(*Persona)

INLINES = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}


def body(cast: Cast) -> dict[str, Any]:
    end = timezone.now() + timedelta(days=1)
    return {"name": "k", "scopes": ["projects.view_project"], "expires_at": end.isoformat()}


class TestApiKeys(PermissionMatrix):
    """The sample key is the owner's."""

    rest = """
                                       owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET    /api-keys                   200    =       =       =       =        =      =      =         401        200
    POST   /api-keys                   201    =       =       =       =        =      403    201       401        404
    GET    /api-keys/scopes            200    =       =       =       =        =      =      =         401        200
    GET    /api-keys/{api-key}         200    404     404     404     200      =      404    404       401        200
    PATCH  /api-keys/{api-key}         200    404     404     404     403      =      404    404       401        200
    POST   /api-keys/{api-key}/rotate  200    404     404     404     403      =      404    404       401        403
    POST   /api-keys/{api-key}/revoke  200    404     404     404     403      200    404    404       401        200
    GET    /api-keys/{api-key}/usage   200    404     404     404     200      =      404    404       401        200
    GET    /api-endpoints              200    =       =       =       =        =      =      =         401        200
    GET    /me/permissions             200    =       =       =       =        =      =      =         401        200
    """
    portal = """
                                         owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /api-keys/                     200    =       =       =       =        =      =      =         302        200
    GET   /api-keys/new/                 200    =       =       =       =        =      403    200       302        404
    POST  /api-keys/new/                 201    =       =       =       =        =      403    201       302        404
    GET   /api-keys/endpoints/           200    =       =       =       =        =      =      =         302        200
    GET   /api-keys/{api-key}/           200    404     404     404     200      =      404    404       302        200
    GET   /api-keys/{api-key}/settings/  200    404     404     404     403      =      404    404       302        200
    POST  /api-keys/{api-key}/settings/  302    404     404     404     403      =      404    404       302        302
    POST  /api-keys/{api-key}/rotate/    200    404     404     404     403      =      404    404       302        302
    POST  /api-keys/{api-key}/revoke/    302    404     404     404     403      302    404    404       302        302
    """
    admin = """
                                               owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/apikeys/apikey/               200    =       =       =       =        =      =      =         302        200
    GET   /admin/apikeys/apikey/{api-key}/change/  200  302   302     302     200      =      302    302       302        200
    POST  /admin/apikeys/apikey/{api-key}/change/  403  =     =       =       =        =      =      =         302        403
    GET   /admin/apikeys/endpointusage/        200    =       =       =       =        =      =      =         302        200
    """
    bodies = {
        "POST /api-keys": body,
        "PATCH /api-keys/{api-key}": {"name": "Renamed"},
        "POST /api-keys/{api-key}/rotate": {"overlap_hours": 1},
        "POST /api-keys/new/": {"name": "k", "what": "read", "days": "30"},
        "POST /api-keys/{api-key}/settings/": {"name": "Renamed", "days": ""},
        "POST /api-keys/{api-key}/rotate/": {"overlap_hours": "1"},
        "POST /admin/apikeys/apikey/{api-key}/change/": {"name": "Renamed", **INLINES},
    }

"""Who may do what with trainings, through every door."""

from typing import Any

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona

pytestmark = pytest.mark.world(*Persona)


def new_training(cast: Cast) -> dict[str, Any]:
    return {
        "name": "Another training",
        "project_id": str(cast.sample("project").pk),
        "trainer": "reference",
        "resource_group_id": str(cast.sample("resource-group").pk),
    }


class TestTrainings(PermissionMatrix):
    rest = """
                                                owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET    /training-jobs                       200    =       =       =       =        =      =      =         401        200
    POST   /training-jobs                       201    =       403     400     201      =      400    400       401        201
    GET    /training-jobs/{training-job}        200    =       =       404     200      =      404    404       401        200
    PATCH  /training-jobs/{training-job}        200    =       403     404     200      =      404    404       401        200
    DELETE /training-jobs/{training-job}        204    =       403     404     204      =      404    404       401        204
    POST   /training-jobs/{training-job}/start  200    =       403     404     200      =      404    404       401        200
    POST   /training-jobs/{training-job}/stop   409    =       403     404     409      =      404    404       401        409
    POST   /training-jobs/{training-job}/resume 409    =       403     404     409      =      404    404       401        409
    POST   /training-jobs/{training-job}/clone  201    =       403     404     201      =      404    404       401        201
    POST   /training-jobs/{training-job}/schedule 200  =       403     404     200      =      404    404       401        200
    DELETE /training-jobs/{training-job}/schedule 409  =       403     404     409      =      404    404       401        409
    GET    /training-jobs/{training-job}/events 200    =       =       404     200      =      404    404       401        200
    GET    /training-jobs/{training-job}/forecast 200  =       =       404     200      =      404    404       401        200
    GET    /training-jobs/{training-job}/metrics 200   =       =       404     200      =      404    404       401        200
    GET    /training-jobs/{training-job}/logs   200    =       =       404     200      =      404    404       401        200
    GET    /training-jobs/{training-job}/checkpoints 200 =     =       404     200      =      404    404       401        200
    GET    /training-jobs/{training-job}/artifacts 200 =       =       404     200      =      404    404       401        200
    """
    bodies = {
        "POST /training-jobs": new_training,
        "PATCH /training-jobs/{training-job}": {"name": "Renamed"},
        "POST /training-jobs/{training-job}/schedule": {"cron": "0 3 * * *", "time_zone": "UTC"},
    }
    portal = """
                                                owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /training/                            200    =       =       =       =        =      =      =         302        200
    GET   /training/new/                        200    =       =       =       =        =      =      =         302        200
    POST  /training/forecast/                   200    =       =       =       =        =      =      =         302        200
    GET   /training/{training-job}/             200    =       =       404     200      =      404    404       302        200
    GET   /training/{training-job}/change/      200    =       403     404     200      =      404    404       302        200
    GET   /training/{training-job}/checkpoints/ 200    =       =       404     200      =      404    404       302        200
    GET   /training/{training-job}/config/      200    =       =       404     200      =      404    404       302        200
    GET   /training/{training-job}/results/     200    =       =       404     200      =      404    404       302        200
    GET   /training/{training-job}/schedule/    200    =       =       404     200      =      404    404       302        200
    POST  /training/{training-job}/schedule/end/ 200   =       403     404     200      =      404    404       302        200
    """
    admin = """
                                                             owner  viewer  member  stranger  anonymous  platform
    GET   /admin/training/trainingjob/                       200    =       =       =         302        200
    GET   /admin/training/trainingjob/{training-job}/change/ 200    =       302     302       302        200
    """

"""Who may do what with experiments and runs, through every door: what the project allows."""

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona

pytestmark = pytest.mark.world(*Persona)


def new_experiment(cast: Cast) -> dict[str, str]:
    return {"project_id": str(cast.sample("project").pk), "name": "Another experiment"}


class TestExperiments(PermissionMatrix):
    rest = """
                                                          owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /experiments                                  200    =       =       =       =        =      =      =         401        200
    POST    /experiments                                  201    =       403     400     201      =      400    400       401        201
    GET     /experiments/{experiment}                     200    =       =       404     200      =      404    404       401        200
    PATCH   /experiments/{experiment}                     200    =       403     404     200      =      404    404       401        200
    DELETE  /experiments/{experiment}                     204    =       403     404     204      =      404    404       401        204
    POST    /experiments/{trashed-experiment}/restore     200    =       404     404     200      =      404    404       401        200
    GET     /experiments/trash                            200    =       =       =       =        =      =      =         401        200
    POST    /experiments/{trashed-experiment}/purge       204    =       404     404     204      =      404    404       401        204
    POST    /experiments/{experiment}/purge               404    =       =       =       =        =      =      =         401        404
    GET     /experiments/{experiment}/runs                200    =       =       404     200      =      404    404       401        200
    GET     /experiments/{experiment}/runs/{run}          200    =       =       404     200      =      404    404       401        200
    """
    bodies = {
        "POST /experiments": new_experiment,
        "POST /experiments/{trashed-experiment}/purge": lambda cast: {"name": cast.sample("trashed-experiment").name},
        "POST /experiments/{experiment}/purge": lambda cast: {"name": cast.sample("experiment").name},
        "PATCH /experiments/{experiment}": {"name": "Renamed"},
        "POST /admin/experiments/experiment/{experiment}/change/": {"name": "Renamed", "description": ""},
        "POST /admin/experiments/experiment/{experiment}/delete/": {"post": "yes", "reason": "a test"},
    }
    admin = """
                                                             owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/experiments/experiment/                     200    =       =       =       =        =      =      =         302        200
    GET   /admin/experiments/experiment/{experiment}/change/ 200    =       =       302     200      =      302    302       302        200
    POST  /admin/experiments/experiment/{experiment}/change/ 302    =       403     302     302      =      302    302       302        302
    POST  /admin/experiments/experiment/{experiment}/delete/ 302    =       403     302     302      =      302    302       302        302
    GET   /admin/experiments/run/                            200    =       =       =       =        =      =      =         302        200
    GET   /admin/experiments/run/{run}/change/               200    =       =       302     200      =      302    302       302        200
    """

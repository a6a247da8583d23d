"""Who may do what with inference jobs, through every door: what the project allows."""

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona

pytestmark = pytest.mark.world(*Persona)


def for_the_checkpoint(cast: Cast) -> dict[str, str]:
    """Without pictures: who may send some is told that they are missing (400)."""
    return {"checkpoint_id": str(cast.sample("tried-checkpoint").pk)}


class TestInferenceJobs(PermissionMatrix):
    rest = """
                                                            owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /inference-jobs                                 200    =       =       =       =        =      =      =         401        200
    POST    /inference-jobs                                 400    =       403     404     400      =      404    404       401        400
    GET     /inference-jobs/{inference-job}                 200    =       =       404     200      =      404    404       401        200
    GET     /inference-jobs/{inference-job}/events          200    =       =       404     200      =      404    404       401        200
    GET     /inference-jobs/{inference-job}/inputs/0/content  200  =       =       404     200      =      404    404       401        200
    POST    /inference-jobs/{inference-job}/stop            200    =       403     404     200      =      404    404       401        200
    """
    portal = """
                                                            owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /quick-test/                                    200    =       =       =       =        =      =      =         302        200
    GET     /training/{tried-checkpoint-training}/quick-test/  200 =       =       404     200      =      404    404       302        200
    """
    admin = """
                                                            owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/evaluation/inferencejob/                   200    =       =       =       =        =      =      =         302        200
    GET   /admin/evaluation/inferencejob/{inference-job}/change/  200  =   =       302     200      =      302    302       302        200
    """
    bodies = {"POST /inference-jobs": for_the_checkpoint}

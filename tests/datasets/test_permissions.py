"""Who may do what with datasets, through every door."""

from typing import Any

import pytest

from apps.core.testing import Cast, PermissionMatrix, Persona

pytestmark = pytest.mark.world(*Persona)

RAW: dict[str, Any] = {"method": "auto", "ratios": {"train": 0.5, "val": 0.5}}
TAGGED: dict[str, Any] = {"matching": {}, "tags": ["night"]}
INLINES = {f"{rows}-{number}_FORMS": "0" for rows in ("image_tags", "revisions") for number in ("TOTAL", "INITIAL")}
FIELDS = {"name": "Renamed", "description": "", "visibility": "project"}


def new_dataset(cast: Cast) -> dict[str, Any]:
    return {"project_id": str(cast.sample("project").pk), "name": "Another dataset"}


class TestDatasets(PermissionMatrix):
    rest = """
                                                                  owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /datasets                                             200    =       =       =       =        =      =      =         401        200
    POST    /datasets                                             201    =       403     400     201      =      400    400       401        201
    GET     /datasets/{dataset}                                   200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{private-dataset}                           200    =       404     404     200      =      404    404       401        200
    GET     /datasets/{organization-dataset}                      200    =       =       =       =        =      404    404       401        200
    GET     /datasets/{trashed-dataset}                           404    =       =       =       =        =      =      =         401        404
    PATCH   /datasets/{dataset}                                   200    =       403     404     200      =      404    404       401        200
    PATCH   /datasets/{organization-dataset}                      200    =       403     403     200      =      404    404       401        200
    DELETE  /datasets/{dataset}                                   204    =       403     404     204      =      404    404       401        204
    POST    /datasets/{dataset}/restore                           404    =       =       =       =        =      =      =         401        404
    POST    /datasets/{trashed-dataset}/restore                   200    =       404     404     200      =      404    404       401        200
    GET     /datasets/trash                                       200    =       =       =       =        =      =      =         401        200
    POST    /datasets/{dataset}/purge                             404    =       =       =       =        =      =      =         401        404
    POST    /datasets/{trashed-dataset}/purge                     204    =       404     404     204      =      404    404       401        204
    GET     /datasets/{dataset}/split                             200    =       =       404     200      =      404    404       401        200
    PUT     /datasets/{dataset}/split                             200    =       403     404     200      =      404    404       401        200
    DELETE  /datasets/{dataset}/split                             200    =       403     404     200      =      404    404       401        200
    GET     /datasets/{dataset}/images                            200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/images/{dataset-image}            200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/images/{dataset-image}/content    200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/images/{dataset-image}/thumbnail  200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/images/count                      200    =       =       404     200      =      404    404       401        200
    POST    /datasets/{dataset}/images/move                       200    =       403     404     200      =      404    404       401        200
    POST    /datasets/{dataset}/images/tag                        200    =       403     404     200      =      404    404       401        200
    POST    /datasets/{dataset}/images/untag                      200    =       403     404     200      =      404    404       401        200
    POST    /datasets/{dataset}/images/delete                     200    =       403     404     200      =      404    404       401        200
    GET     /datasets/{dataset}/statistics                        200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/snapshots                         200    =       =       404     200      =      404    404       401        200
    POST    /datasets/{dataset}/snapshots                         201    =       403     404     201      =      404    404       401        201
    GET     /datasets/{dataset}/snapshots/{dataset-snapshot}      200    =       =       404     200      =      404    404       401        200
    DELETE  /datasets/{dataset}/snapshots/{dataset-snapshot}      204    =       403     404     204      =      404    404       401        204
    GET     /datasets/{dataset}/uploads                           200    =       200     404     200      =      404    404       401        200
    POST    /datasets/{dataset}/import                            202    =       403     404     202      =      404    404       401        202
    GET     /datasets/server-folders                              200    =       =       =       =        =      =      =         401        200
    GET     /datasets/server-folders/{server-folder}              200    =       =       =       =        =      404    404       401        200
    POST    /datasets/{dataset}/uploads                           201    =       403     404     201      =      404    404       401        201
    GET     /datasets/{dataset}/uploads/{dataset-upload}          200    =       404     404     200      =      404    404       401        200
    DELETE  /datasets/{dataset}/uploads/{dataset-upload}          204    =       404     404     204      =      404    404       401        204
    POST    /datasets/{dataset}/uploads/{dataset-upload}/analyze  409    =       404     404     409      =      404    404       401        409
    POST    /datasets/{dataset}/uploads/{analysed-upload}/publish 202    =       404     404     202      =      404    404       401        202
    """
    bodies = {
        "POST /datasets": new_dataset,
        "PATCH /datasets/{dataset}": {"name": "Renamed"},
        "PATCH /datasets/{organization-dataset}": {"name": "Renamed"},
        "POST /datasets/{dataset}/purge": lambda cast: {"name": cast.sample("dataset").name},
        "POST /datasets/{trashed-dataset}/purge": lambda cast: {"name": cast.sample("trashed-dataset").name},
        "POST /datasets/{trashed-dataset}/purge/": lambda cast: {"name": cast.sample("trashed-dataset").name},
        "PUT /datasets/{dataset}/split": RAW,
        "POST /datasets/{dataset}/import": {"source": "address", "url": "https://example.com/shapes.zip"},
        "POST /admin/datasets/serverfolder/{server-folder}/delete/": {"post": "yes", "reason": "a test"},
        "POST /datasets/{dataset}/images/move": {"matching": {}, "split": "val"},
        "POST /datasets/{dataset}/images/tag": TAGGED,
        "POST /datasets/{dataset}/images/untag": TAGGED,
        "POST /datasets/{dataset}/images/delete": {"matching": {}},
        "POST /admin/datasets/dataset/{dataset}/change/": {**FIELDS, **INLINES},
        "POST /admin/datasets/dataset/{dataset}/delete/": {"post": "yes", "reason": "a test"},
        "POST /admin/datasets/snapshot/{dataset-snapshot}/delete/": {"post": "yes", "reason": "a test"},
        "POST /datasets/{dataset}/edit/": FIELDS,
        "POST /datasets/{dataset}/images/act/": {"act": "tag", "all": "1", "tags": "night"},
    }
    admin = """
                                                               owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/datasets/dataset/                             200    =       =       =       =        =      =      =         302        200
    GET   /admin/datasets/dataset/{dataset}/change/            200    =       =       302     200      =      302    302       302        200
    POST  /admin/datasets/dataset/{dataset}/change/            302    =       403     302     302      =      302    302       302        302
    POST  /admin/datasets/dataset/{dataset}/delete/            302    =       403     302     302      =      302    302       302        302
    GET   /admin/datasets/serverfolder/                        200    =       =       =       =        =      =      =         302        200
    GET   /admin/datasets/serverfolder/{server-folder}/change/ 200    =       =       =       =        =      302    302       302        200
    POST  /admin/datasets/serverfolder/{server-folder}/delete/ 403    =       =       =       =        =      403    403       302        302
    GET   /admin/datasets/upload/{dataset-upload}/change/      200    =       302     302     200      =      302    302       302        200
    GET   /admin/datasets/snapshot/{dataset-snapshot}/change/  200    =       =       302     200      =      302    302       302        200
    POST  /admin/datasets/snapshot/{dataset-snapshot}/delete/  302    =       403     302     302      =      302    302       302        302
    """
    portal = """
                                         owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /datasets/                     200    =       =       =       =        =      =      =         302        200
    GET   /datasets/{dataset}/           200    =       =       404     200      =      404    404       302        200
    GET   /datasets/{dataset}/upload/    200    =       403     404     200      =      404    404       302        200
    POST  /datasets/{dataset}/images/act/  302    =     403     404     302      =      404    404       302        302
    POST  /datasets/{dataset}/edit/      302    =       403     404     302      =      404    404       302        302
    POST  /datasets/{dataset}/trash/     302    =       403     404     302      =      404    404       302        302
    GET   /datasets/trash/               200    =       =       =       =        =      =      =         302        200
    GET   /datasets/{dataset}/purge/     404    =       =       =       =        =      =      =         302        404
    GET   /datasets/{trashed-dataset}/purge/  200  =    404     404     200      =      404    404       302        200
    POST  /datasets/{trashed-dataset}/purge/  302  =    404     404     302      =      404    404       302        302
    """


def test_nobody_makes_a_dataset_private_that_is_not_theirs(cast: Cast) -> None:
    """An editor neither owns the project nor has made the dataset: it would be out of their sight."""
    address = f"/datasets/{cast.sample('dataset').pk}"
    refused = cast.editor.rest.patch(address, {"visibility": "private"})
    assert (refused.status_code, refused.json()["code"]) == (403, "would_be_hidden")
    assert cast.editor.rest.get(address).json()["visibility"] == "project"
    assert cast.owner.rest.patch(address, {"visibility": "private"}).json()["visibility"] == "private"

"""The provider's doors, and one for the test: what its administrator would do by hand."""

import json

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def register(request: HttpRequest) -> JsonResponse:
    """Enters a person or a client, as the body says."""
    told = json.loads(request.body)
    if "email" in told:
        user = User.objects.create_user(told["email"], told["email"], told["password"])
        EmailAddress.objects.create(user=user, email=user.email, verified=told["is_verified"], primary=True)
        return JsonResponse({"id": user.pk})
    client = Client(id=told["client_id"], name="Portal", skip_consent=True, scopes="openid\nemail\nprofile")
    client.set_secret(told["client_secret"])
    client.set_redirect_uris([told["redirect_uri"]])
    client.save()
    return JsonResponse({"id": client.pk})


urlpatterns = [
    path("register", register),
    path("accounts/", include("allauth.account.urls")),
    path("", include("allauth.idp.urls")),
]

"""Reads: connections, the accounts that came by them, and where the provider sends people back to."""

from typing import Any
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.organizations.models import Membership
from apps.singlesignon.models import Connection


def enabled_connection(pk: Any) -> Connection:
    """For the sign-in itself, where nobody is known yet. Raises `NotFound`."""
    found = Connection.objects.enabled().select_related("organization").filter(pk=pk).first()
    if found is None:
        raise NotFound()
    return found


def connection_answering(text: str) -> Connection | None:
    """The one that a person means by an address or a short name; None for an unknown one and for one without."""
    return Connection.objects.answering(text).select_related("organization").first()


def accounts_of(connection: Connection) -> QuerySet[Any]:
    """allauth's rows that join a person to what the provider calls them."""
    rows: QuerySet[Any] = SocialAccount.objects.filter(provider=connection.provider_id)
    return rows


def membership_of(user: User, connection: Connection) -> Membership | None:
    return Membership.objects.filter(user=user, organization_id=connection.organization_id).first()


def belongs_elsewhere(user: User, organization_id: UUID) -> bool:
    return Membership.objects.filter(user=user).exclude(organization_id=organization_id).exists()


def return_address(connection: Connection, request: HttpRequest) -> str:
    """What has to be entered at the provider: where it sends people back to."""
    path = reverse("singlesignon:callback", args=[connection.pk])
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)

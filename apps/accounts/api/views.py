"""REST for where one is signed in."""

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import services
from apps.accounts.api import serializers
from apps.accounts.selectors import SignIn, sign_ins_of
from apps.core.api.requests import ApiRequest
from apps.core.errors import NotFound
from apps.core.identity import Via
from apps.core.policy import outside_scope

DONE = OpenApiResponse(description="Done.")
PK = OpenApiParameter("id", str, OpenApiParameter.PATH, description="The sign-in, as the list names it.")


def _session_key(request: ApiRequest) -> str | None:
    """The session that the request came by; None for a program, whatever cookie it sends."""
    return request.session.session_key if request.actor.via == Via.SESSION else None


def _refuse_keys(request: ApiRequest) -> None:
    """Where a person is signed in is no business of their programs: no scope covers it."""
    if request.actor.scopes is not None:
        raise outside_scope(())


def _mine(request: ApiRequest) -> list[SignIn]:
    assert request.user.is_authenticated
    _refuse_keys(request)
    actor = request.actor
    return sign_ins_of(request.user, session_key=_session_key(request), family=actor.family, vouched=actor.vouched)


class SessionsView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses=serializers.SessionSerializer(many=True), operation_id="sessions_list")
    def get(self, request: ApiRequest) -> Response:
        """Where I am signed in: browsers and programs, the one that asks first (200 of each at most)."""
        return Response(serializers.SessionSerializer(_mine(request), many=True).data)


class SessionView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(parameters=[PK], responses={204: DONE}, operation_id="sessions_destroy")
    def delete(self, request: ApiRequest, pk: str) -> Response:
        """End one of my sign-ins; its tokens and open sockets end with it."""
        assert request.user.is_authenticated
        sign_in = next((found for found in _mine(request) if found.id == pk), None)
        if sign_in is None:
            raise NotFound()
        services.sign_in_end(actor=request.actor, user=request.user, sign_in=sign_in)
        if sign_in.is_current and sign_in.session_key:
            request.session.flush()
        return Response(status=status.HTTP_204_NO_CONTENT)


class OthersView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses=serializers.RevokedSerializer, operation_id="sessions_revoke_others")
    def post(self, request: ApiRequest) -> Response:
        """End every sign-in of mine but this one."""
        assert request.user.is_authenticated
        _refuse_keys(request)
        count = services.sessions_end_others(actor=request.actor, user=request.user, session_key=_session_key(request))
        return Response({"revoked": count})

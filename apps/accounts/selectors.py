"""Where a person is signed in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Min, OuterRef, Subquery
from django.db.models.enums import TextChoices
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import RefreshToken, User
from apps.core.identity import VOUCHED, Vouched

SHOWN = 200
# As user agents name themselves, the more telling ones first: most call themselves Safari or Mozilla besides.
BROWSERS = (
    *(("Edg/", "Edge"), ("OPR/", "Opera"), ("Whale/", "Whale"), ("SamsungBrowser/", "Samsung Internet")),
    *(("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome")),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS")),
    *(("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def client_of(user_agent: str) -> str:
    """What people call a browser and its system, or a program: `Chrome · Windows`, `curl/8.1`."""
    browser = next((name for sign, name in BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in SYSTEMS if sign in user_agent), "")
    return " · ".join(filter(None, (browser, system))) if browser else user_agent.split(" ")[0][:60]


class Kind(TextChoices):
    BROWSER = "browser", _("Browser")
    PROGRAM = "program", _("Program")


@dataclass(frozen=True, slots=True)
class SignIn:
    """One session of a browser, or one family of a program's tokens."""

    id: str
    kind: Kind
    user_agent: str
    ip: str | None
    created_at: datetime
    last_seen_at: datetime
    is_current: bool
    organization_id: UUID | None = None
    # Never shown: it is as good as a password.
    session_key: str = ""

    @property
    def client(self) -> str:
        return client_of(self.user_agent)


def session_mark(session_key: str) -> str:
    """Tells a session apart where its key, which is as good as a password, must not stand."""
    return salted_hmac("accounts.session", session_key).hexdigest()


def has_session(user: User, mark: str) -> bool:
    """Whether the session of this mark is the person's and has not ended."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    sessions = UserSession.objects.filter(user=user, session_key__in=live.values("pk"))
    keys = sessions.values_list("session_key", flat=True)
    return any(constant_time_compare(session_mark(key), mark) for key in keys)


def sign_ins_of(
    user: User,
    *,
    session_key: str | None = None,
    family: UUID | None = None,
    vouched: Vouched | None = None,
    at_most: int | None = SHOWN,
) -> list[SignIn]:
    """The person's live sign-ins, the one that asks first, then the ones seen last. Two queries. `vouched`: of a sign-in
    by an organization's provider; it sees what this provider has opened."""
    live = Session.objects.filter(expire_date__gt=timezone.now())
    sessions = UserSession.objects.filter(user=user, session_key__in=live.values("pk")).order_by("-last_seen_at")
    own_tokens = RefreshToken.objects.filter(user=user)
    if vouched is not None:
        sessions = sessions.filter(**{f"data__{VOUCHED}": str(vouched.organization_id)})
        own_tokens = own_tokens.none()
    browsers = [
        SignIn(
            id=str(row.pk),
            kind=Kind.BROWSER,
            user_agent=row.user_agent,
            ip=row.ip,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_current=row.session_key == session_key,
            session_key=row.session_key,
        )
        for row in sessions[:at_most]
    ]
    first = RefreshToken.objects.filter(family=OuterRef("family")).order_by().values("family")
    tokens: Any = (
        own_tokens.live()
        .annotate(began_at=Subquery(first.annotate(least=Min("created_at")).values("least")))
        .order_by("-created_at")
    )
    programs = [
        SignIn(
            id=str(row.family),
            kind=Kind.PROGRAM,
            user_agent=row.user_agent,
            ip=row.ip,
            created_at=row.began_at,
            last_seen_at=row.created_at,
            is_current=row.family == family,
            organization_id=row.organization_id,
        )
        for row in tokens[:at_most]
    ]
    found = sorted([*browsers, *programs], key=lambda sign_in: sign_in.last_seen_at, reverse=True)
    return sorted(found, key=lambda sign_in: not sign_in.is_current)

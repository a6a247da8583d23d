"""Sign-ins that did not succeed, and the mail for those that lacked nothing but the proof of their address.

Whether a password belongs to an account whose address is not verified is for the mailbox alone to know: otherwise who
signs up with somebody's address learns, by signing in with the password just given, whether that made the account. So
such a sign-in is refused as a wrong password is, every refusal writes the same down, sealed, and a worker looks whose
password was right and mails the link once more.
"""

from allauth.account.models import EmailAddress, get_emailconfirmation_model
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.services import mailbox
from apps.core import outbox

TOPIC = "accounts.sign_in_refused"
# A link that was mailed a moment ago is still good.
EVERY_SECONDS = 600

REFUSED = _("Address or password is wrong, or the address is not verified.")
REFUSED_HINT = _(
    "If you signed up and have not opened the link in our mail yet: look into your mailbox, another link is on its way "
    "there if the password is right."
)


def refused(*, request: HttpRequest, email: str, is_right: bool) -> None:
    """Writes down a sign-in that failed; `is_right` where only the proof of the address was lacking."""
    mailbox.write_down(topic=TOPIC, request=request, email=email.strip().lower(), right="yes" if is_right else "no")


@outbox.handler(TOPIC)
def deliver(payload: dict[str, str]) -> None:
    with mailbox.asked(TOPIC, payload) as asked:
        if asked.facts["right"] != "yes":
            return
        rows = EmailAddress.objects.filter(email=asked.email, verified=False, user__is_active=True)
        address = rows.filter(user__email=asked.email).first()
        mailed = f"verification-mailed:{address.pk}" if address else ""
        if address is None or cache.get(mailed):
            return
        get_emailconfirmation_model().create(address).send(asked.request)
        cache.set(mailed, 1, EVERY_SECONDS)

"""Mails of the portal, each drawn from three templates."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


def mail_of(template: str, context: dict[str, Any], *, to: str) -> EmailMultiAlternatives:
    """The mail of `<template>_subject.txt`, `_message.txt` and `_message.html`, in the language at hand."""
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    mail = EmailMultiAlternatives(
        f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{subject}",
        render_to_string(f"{template}_message.txt", context),
        to=[to],
    )
    mail.attach_alternative(render_to_string(f"{template}_message.html", context), "text/html")
    return mail

"""Domains of e-mail addresses: how they are written, and which give an address to everybody."""

from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator

_is_domain = DomainNameValidator(accept_idna=False)

# Providers whose name stands before the ending of many countries.
FAMILIES = frozenset(("gmail", "gmx", "hotmail", "outlook", "yahoo"))

# An address there says nothing about where a person works.
PUBLIC = frozenset(
    [
        "10minutemail.com",
        "126.com",
        "139.com",
        "163.com",
        "189.cn",
        "abv.bg",
        "aliyun.com",
        "aol.com",
        "appleid.com",
        "att.net",
        "bellsouth.net",
        "bk.ru",
        "bluewin.ch",
        "bol.com.br",
        "btinternet.com",
        "centrum.cz",
        "charter.net",
        "chol.com",
        "comcast.net",
        "cox.net",
        "daum.net",
        "disroot.org",
        "docomo.ne.jp",
        "dreamwiz.com",
        "duck.com",
        "earthlink.net",
        "email.com",
        "empal.com",
        "empas.com",
        "ezweb.ne.jp",
        "fastmail.com",
        "fastmail.fm",
        "foxmail.com",
        "free.fr",
        "freechal.com",
        "freenet.de",
        "googlemail.com",
        "guerrillamail.com",
        "hanafos.com",
        "hanmail.net",
        "hanmir.com",
        "hey.com",
        "hushmail.com",
        "i.ua",
        "icloud.com",
        "inbox.lv",
        "inbox.ru",
        "interia.pl",
        "juno.com",
        "kakao.com",
        "korea.com",
        "laposte.net",
        "libero.it",
        "list.ru",
        "live.ca",
        "live.co.kr",
        "live.co.uk",
        "live.com",
        "live.de",
        "live.fr",
        "live.it",
        "live.jp",
        "live.nl",
        "lycos.co.kr",
        "lycos.com",
        "mac.com",
        "mail.com",
        "mail.de",
        "mail.ru",
        "mailbox.org",
        "mailinator.com",
        "me.com",
        "mozmail.com",
        "msn.com",
        "nate.com",
        "naver.com",
        "netzero.net",
        "nifty.com",
        "noreply.github.com",
        "o2.pl",
        "onet.pl",
        "orange.fr",
        "paran.com",
        "pm.me",
        "posteo.de",
        "proton.me",
        "protonmail.ch",
        "protonmail.com",
        "qq.com",
        "rambler.ru",
        "rediffmail.com",
        "riseup.net",
        "rocketmail.com",
        "runbox.com",
        "sapo.pt",
        "sbcglobal.net",
        "seznam.cz",
        "sfr.fr",
        "sharklasers.com",
        "shaw.ca",
        "sina.cn",
        "sina.com",
        "sky.com",
        "softbank.ne.jp",
        "sohu.com",
        "t-online.de",
        "telenet.be",
        "temp-mail.org",
        "terra.com.br",
        "tiscali.it",
        "tom.com",
        "trashmail.com",
        "tuta.com",
        "tuta.io",
        "tutanota.com",
        "ukr.net",
        "unitel.co.kr",
        "uol.com.br",
        "verizon.net",
        "vip.qq.com",
        "virgilio.it",
        "virginmedia.com",
        "walla.co.il",
        "wanadoo.fr",
        "web.de",
        "windowslive.com",
        "wp.pl",
        "ya.ru",
        "yahoo.co.jp",
        "yandex.com",
        "yandex.ru",
        "yeah.net",
        "ymail.com",
        "yopmail.com",
        "zoho.com",
        "zohomail.com",
    ]
)


def normal(text: str) -> str:
    """The domain in lower case and in ASCII, as mail goes by it; "" for what is none."""
    try:
        domain = text.strip().lower().removeprefix("@").encode("idna").decode()
        _is_domain(domain)
    except (UnicodeError, ValidationError):
        return ""
    return domain


def domain_of(address: str) -> str:
    """The domain of an e-mail address."""
    return normal(address.rpartition("@")[2])


def is_public(domain: str) -> bool:
    """Whether everybody gets an address there, or below it."""
    labels = domain.split(".")
    above = {".".join(labels[start:]) for start in range(len(labels) - 1)}
    return not above.isdisjoint(PUBLIC) or (labels[0] in FAMILIES and len(labels) <= 3)

"""What is said between the portal and a provider (OpenID Connect Core, code flow), and what of it is believed.

Nothing here knows of people or of the database. Whatever is not as it should be raises `Refused` with its reason.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import requests
from requests.auth import HTTPBasicAuth

from apps.core import outbound
from apps.core.outbound import OutboundError
from apps.singlesignon.reasons import Refused

WELL_KNOWN = "/.well-known/openid-configuration"
#: Signatures by a key pair. One by the client's secret, or none at all, proves nothing of the provider.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: Clocks differ.
LEEWAY_SECONDS = 60
LONGEST_TOKEN = 64 * 1024
#: As allauth's table holds it.
LONGEST_SUBJECT = 191
#: RFC 8176: what in `amr` says that a second factor was seen.
FACTORS = frozenset({"mfa", "otp", "hwk", "swk", "sc"})
#: How providers say that the address is the person's; the second is Microsoft's.
VERIFIED = ("email_verified", "xms_edov")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider publishes about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    # How it wants to be told the client's secret: in the head rather than in the body of a request.
    wants_basic: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of the person, believed."""

    subject: str
    email: str
    is_verified: bool
    factor_seen: bool


def discover(issuer: str) -> Provider:
    """Asks the provider for its endpoints (OpenID Connect Discovery)."""
    found = _document(f"{issuer.rstrip('/')}{WELL_KNOWN}")
    named = found.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise Refused("issuer_wrong")
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not isinstance(methods, list):
        raise Refused("answer_unreadable")
    return Provider(
        issuer=named,
        authorization_endpoint=_address(found, "authorization_endpoint"),
        token_endpoint=_address(found, "token_endpoint"),
        jwks_uri=_address(found, "jwks_uri"),
        userinfo_endpoint=_address(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else "",
        wants_basic="client_secret_post" not in methods,
    )


def keys_of(provider: Provider) -> list[dict[str, Any]]:
    """The keys that the provider signs with."""
    keys = _document(provider.jwks_uri).get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise Refused("answer_unreadable")
    return keys


def exchange(
    provider: Provider, *, client_id: str, secret: str, code: str, verifier: str, return_address: str
) -> dict[str, Any]:
    """The tokens for a code, fetched from the provider itself."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": return_address}
    form |= {"client_id": client_id, "code_verifier": verifier}
    if not provider.wants_basic:
        form["client_secret"] = secret
    proof = HTTPBasicAuth(client_id, secret) if provider.wants_basic else None
    try:
        with outbound.session() as session:
            response = session.post(
                provider.token_endpoint, data=form, auth=proof, headers={"Accept": "application/json"}
            )
    except OutboundError as error:
        raise Refused(error.code) from error
    found = _object(response)
    if response.status_code in {400, 401, 403}:
        is_client = found.get("error") in {"invalid_client", "unauthorized_client"}
        raise Refused("client_refused" if is_client else "code_refused")
    if response.status_code != 200:
        raise Refused("provider_failed")
    return found


def claims_of(
    tokens: Mapping[str, Any], keys: list[dict[str, Any]], provider: Provider, *, client_id: str, nonce: str
) -> Claims:
    """What the ID token says, and the provider's user endpoint where the token leaves the address out."""
    said = verified(tokens.get("id_token"), keys, issuer=provider.issuer, client_id=client_id, nonce=nonce)
    subject = said["sub"]
    if "email" not in said and provider.userinfo_endpoint and isinstance(tokens.get("access_token"), str):
        said = {**_person(provider, tokens["access_token"], subject), **said}
    email = said.get("email")
    methods = said.get("amr")
    return Claims(
        subject=subject,
        email=email.strip().lower() if isinstance(email, str) else "",
        is_verified=any(said.get(name) in (True, "true", "1", 1) for name in VERIFIED),
        factor_seen=isinstance(methods, list) and any(isinstance(m, str) and m in FACTORS for m in methods),
    )


def verified(token: Any, keys: list[dict[str, Any]], *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The content of an ID token: signed by the provider, from it, for this client, for this sign-in, and of now."""
    if not token:
        raise Refused("token_missing")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise Refused("token_invalid")
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Refused("signature_wrong")
        said: dict[str, Any] = jwt.decode(
            token,
            _key(keys, header.get("kid"), algorithm),
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        raise Refused(_flaw(error)) from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused("token_invalid") from error
    subject = said.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > LONGEST_SUBJECT or "\0" in subject:
        raise Refused("subject_missing")
    several = isinstance(said["aud"], list) and len(said["aud"]) > 1
    if said.get("azp", None if several else client_id) != client_id:
        raise Refused("audience_wrong")
    if not isinstance(said.get("nonce"), str) or not hmac.compare_digest(said["nonce"].encode(), nonce.encode()):
        raise Refused("nonce_wrong")
    return said


def _flaw(error: jwt.InvalidTokenError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "token_expired"
        case jwt.InvalidAudienceError():
            return "audience_wrong"
        case jwt.InvalidIssuerError():
            return "issuer_wrong"
        case jwt.InvalidSignatureError():
            return "signature_wrong"
    return "token_invalid"


def _key(keys: list[dict[str, Any]], kid: Any, algorithm: str) -> Any:
    """The public key that the token names; without a name the only one that fits."""
    fitting = [
        key
        for key in keys
        if (kid is None or key.get("kid") == kid)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and key.get("kty") != "oct"
    ]
    if len(fitting) != 1:
        raise Refused("signature_wrong")
    try:
        return jwt.PyJWK.from_dict(fitting[0], algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise Refused("signature_wrong") from error


def _person(provider: Provider, access_token: str, subject: str) -> dict[str, Any]:
    found = _document(provider.userinfo_endpoint, {"Authorization": f"Bearer {access_token}"})
    # Otherwise somebody else's address could be had by mixing up answers.
    if found.get("sub") != subject:
        raise Refused("token_invalid")
    return {name: found[name] for name in ("email", *VERIFIED) if name in found}


def _document(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    try:
        with outbound.session() as session:
            response = session.get(url, headers={"Accept": "application/json", **(headers or {})})
    except OutboundError as error:
        raise Refused(error.code) from error
    if response.status_code != 200:
        raise Refused("provider_failed")
    return _object(response)


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except (ValueError, RecursionError) as error:
        raise Refused("answer_unreadable" if response.status_code < 500 else "provider_failed") from error
    if not isinstance(found, dict):
        raise Refused("answer_unreadable")
    return found


def _address(found: Mapping[str, Any], name: str) -> str:
    """An address of the document, that may be called. People's browsers are sent to none that could be not."""
    address = found.get(name)
    if not isinstance(address, str) or not address:
        raise Refused("answer_unreadable")
    try:
        outbound.origin_of(address)
    except OutboundError as error:
        raise Refused(error.code) from error
    return address

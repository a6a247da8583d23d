"""An S3 bucket of somebody else's, read by the rules of the way out: listed and fetched, signed with keys given for it.

The requests are few and plain (list, get), so they are made by our own client: the SDK would connect by itself, past
the checks of addresses.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.parsers import expat  # nosec B407  # document types are refused

from apps.core.outbound.client import session
from apps.core.outbound.downloads import OnBytes, download
from apps.core.outbound.errors import OutboundError
from apps.core.outbound.origins import origin_of

PAGE_BYTES = 8 * 1024 * 1024
PAGE_SECONDS = 60.0
#: For the whole of a list: a store of somebody's own may say for ever that there is more.
LIST_SECONDS = 1800.0
#: Characters of an object's tag; each is kept until the last object is here.
MOST_MARK = 300
#: Why a bucket was not read, besides what a request can fail for.
BUCKET_CODES = ("bucket_unknown", "bucket_forbidden", "bucket_keys", "bucket_region", "bucket_answer")
#: The same in the words of S3.
MEANINGS = {
    "NoSuchBucket": "bucket_unknown",
    "NoSuchKey": "bucket_answer",
    "AccessDenied": "bucket_forbidden",
    "InvalidAccessKeyId": "bucket_keys",
    "SignatureDoesNotMatch": "bucket_keys",
    "InvalidToken": "bucket_keys",
    "ExpiredToken": "bucket_keys",
    "RequestTimeTooSkewed": "bucket_keys",
    "AuthorizationHeaderMalformed": "bucket_region",
    "PermanentRedirect": "bucket_region",
    "InvalidObjectState": "bucket_forbidden",
}
CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")


class BucketError(Exception):
    """`code` is one of `BUCKET_CODES`; `detail` is the store's own word for it."""

    def __init__(self, code: str, detail: str = "") -> None:
        assert code in BUCKET_CODES
        super().__init__(f"{code} {detail}".strip())
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Listed:
    """An object. `mark` is another one when its content is."""

    key: str
    size: int
    mark: str


@dataclass(frozen=True)
class Bucket:
    """Without an endpoint the bucket is Amazon's; without keys it is read as anybody may read it."""

    name: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Address of the bucket, without a slash at its end. Raises nothing: whether it may be called is asked later."""
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/{quote(self.name, safe='')}"
        host = f"s3.{self.region}.amazonaws.com"
        # A dot in the name would not fit the certificate.
        return f"https://{host}/{self.name}" if "." in self.name else f"https://{self.name}.{host}"

    def listed(self, prefix: str) -> Iterator[Listed]:
        """The objects under the prefix. Raises `BucketError` and `OutboundError`."""
        token, ends_at = "", time.monotonic() + LIST_SECONDS
        while True:
            if time.monotonic() >= ends_at:
                raise OutboundError("too_slow")
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            url = f"{self.url}/?{urlencode(sorted(query.items()), quote_via=quote, safe='')}"
            page = _Page(self._get(url))
            yield from page.objects
            if not page.next_token:
                return
            if page.next_token == token:
                raise BucketError("bucket_answer", "continuation-token")
            token = page.next_token

    def download(self, key: str, target: Path, *, most_bytes: int, on_bytes: OnBytes = lambda size: None) -> int:
        """Brings the object to `target`, and returns its size. Raises `BucketError` and `OutboundError`."""
        url = f"{self.url}/{quote(key, safe='/~')}"
        try:
            return download(
                url, target, most_bytes=most_bytes, headers=self._signed(url), redirects=0, on_bytes=on_bytes
            )
        except OutboundError as error:
            if error.code == "answer_refused":
                raise BucketError("bucket_forbidden" if error.status == 403 else "bucket_answer", key) from error
            raise

    def _get(self, url: str) -> bytes:
        try:
            with session(seconds=PAGE_SECONDS, most_bytes=PAGE_BYTES) as opened:
                answer = opened.get(url, headers=self._signed(url))
        except OutboundError as error:
            if error.code == "redirected":
                raise BucketError("bucket_region") from error
            raise
        if answer.status_code == 200:
            return answer.content
        found = CODE.search(answer.content[:4096])
        word = found[1].decode() if found else str(answer.status_code)
        by_status = {403: "bucket_forbidden", 404: "bucket_unknown"}.get(answer.status_code, "bucket_answer")
        raise BucketError(MEANINGS.get(word, by_status), word)

    def _signed(self, url: str) -> dict[str, str]:
        """The headers of a request to the URL. Raises `OutboundError` for one that may not be called."""
        origin_of(url)
        if not self.access_key:
            return {}
        from botocore.auth import S3SigV4Auth  # import here: processes that never touch a bucket do without it
        from botocore.awsrequest import AWSRequest  # import here: as above
        from botocore.credentials import Credentials  # import here: as above

        request = AWSRequest(method="GET", url=url)
        keys = Credentials(self.access_key, self.secret_key, self.token or None)
        S3SigV4Auth(keys, "s3", self.region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}


class _Page:
    """One page of a list: `<Contents>` with key, size and tag, and the token of the next."""

    TEXTS = frozenset({"Key", "Size", "ETag", "LastModified", "NextContinuationToken", "IsTruncated"})

    def __init__(self, document: bytes) -> None:
        self.objects: list[Listed] = []
        self.next_token = ""
        self._row: dict[str, str] = {}
        self._text: list[str] | None = None
        self._is_list = False
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(document, True)
        except (expat.ExpatError, ValueError) as error:
            raise BucketError("bucket_answer", "XML") from error
        if not self._is_list:
            raise BucketError("bucket_answer", "XML")

    def _refuse(self, *declaration: object) -> None:
        raise ValueError("a document type")

    def _start(self, name: str, attributes: object) -> None:
        name = name.rpartition(" ")[2]
        self._is_list |= name == "ListBucketResult"
        if name == "Contents":
            self._row = {}
        self._text = [] if name in self.TEXTS else None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        if self._text is not None and name in self.TEXTS:
            text = "".join(self._text)
            if name == "NextContinuationToken":
                self.next_token = text
            else:
                self._row[name] = text
        self._text = None
        if name == "Contents":
            row = self._row
            if not row.get("Key") or not row.get("Size", "").isdigit():
                raise ValueError("an object without key or size")
            mark = row.get("ETag") or row.get("LastModified", "")
            if len(mark) > MOST_MARK:
                raise ValueError("a tag that is none")
            self.objects.append(Listed(row["Key"], int(row["Size"]), mark))

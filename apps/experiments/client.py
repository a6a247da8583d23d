"""A client of MLflow's REST API 2.0, as far as the mirror needs it. Every call may block for seconds.

MLflow's own package is never imported: it costs seconds and hundreds of megabytes in each process. With
`--static-prefix /mlflow` the API lives under `<address>/mlflow/api/2.0`; the base URL holds the prefix.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.errors import DomainError, Unavailable

TIMEOUT = httpx.Timeout(5.0)
# The server answers an upload when the object is stored, which for a large one takes longer.
UPLOAD_TIMEOUT = httpx.Timeout(5.0, read=60.0, write=30.0)

# MLflow's limits for one `log-batch`; it counts the request's characters too (1,000,000).
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
CHARACTERS_PER_CALL = 800_000
KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
FILE_NAME_BYTES = 255

UNSAFE_IN_KEY = re.compile(r"[^\w.\-: /]")
# `#` is refused by the server; the others mean something to a shell, a browser or a file system.
UNSAFE_IN_PATH = re.compile(r"[^\w.\-+=@,()\[\] /]")

T = TypeVar("T")


class MlflowUnavailable(Unavailable):
    """MLflow does not answer, or somebody else answers in its place: trying again later helps."""

    code = "mlflow_unavailable"


class MlflowRefused(DomainError):
    """MLflow answered and said no: the same request would be refused again."""

    status = 502
    code = "mlflow_refused"

    @property
    def is_missing(self) -> bool:
        """The experiment or run does not exist in MLflow (any more)."""
        return bool(self.params.get("error_code") == "RESOURCE_DOES_NOT_EXIST")

    @property
    def is_duplicate(self) -> bool:
        return bool(self.params.get("error_code") == "RESOURCE_ALREADY_EXISTS")


@dataclass(frozen=True, slots=True)
class MlflowExperiment:
    id: str
    name: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class MlflowRun:
    id: str
    artifact_uri: str
    status: str


@dataclass(frozen=True, slots=True)
class MlflowMetric:
    """`timestamp` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


class MlflowClient:
    """`address()` gives the base URL, prefix included, and is asked before every call.

    Calls raise `MlflowUnavailable` or `MlflowRefused`.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)

    # Experiments

    def experiment_create(self, name: str, tags: Mapping[str, str]) -> str:
        """The new experiment's id. The name is unique in MLflow, deleted experiments included."""
        answer = self._post("experiments/create", {"name": name, "tags": _pairs(tags)})
        return str(answer["experiment_id"])

    def experiment_by_name(self, name: str) -> MlflowExperiment:
        return _experiment(self._get("experiments/get-by-name", {"experiment_name": name})["experiment"])

    def experiment_by_tag(self, key: str, value: str) -> MlflowExperiment | None:
        """The experiment, deleted or not, that carries the tag."""
        answer = self._post(
            "experiments/search", {"filter": _has_tag(key, value), "view_type": "ALL", "max_results": 1}
        )
        found = answer.get("experiments")
        return _experiment(found[0]) if found else None

    def experiment_rename(self, experiment_id: str, name: str) -> None:
        self._post("experiments/update", {"experiment_id": experiment_id, "new_name": name})

    def experiment_set_tag(self, experiment_id: str, key: str, value: str) -> None:
        self._post("experiments/set-experiment-tag", {"experiment_id": experiment_id, "key": key, "value": value})

    def experiment_delete(self, experiment_id: str) -> None:
        """Moves the experiment with its runs to MLflow's own trash."""
        self._post("experiments/delete", {"experiment_id": experiment_id})

    def experiment_restore(self, experiment_id: str) -> None:
        self._post("experiments/restore", {"experiment_id": experiment_id})

    # Runs

    def run_create(self, experiment_id: str, name: str, start_time: int, tags: Mapping[str, str]) -> MlflowRun:
        """`start_time` in milliseconds since 1970."""
        answer = self._post(
            "runs/create",
            {"experiment_id": experiment_id, "run_name": name, "start_time": start_time, "tags": _pairs(tags)},
        )
        return _run(answer["run"])

    def run_get(self, run_id: str) -> MlflowRun:
        return _run(self._get("runs/get", {"run_id": run_id})["run"])

    def run_by_tag(self, experiment_id: str, key: str, value: str) -> MlflowRun | None:
        """The run of the experiment, deleted or not, that carries the tag."""
        answer = self._post(
            "runs/search",
            {
                "experiment_ids": [experiment_id],
                "filter": _has_tag(key, value),
                "run_view_type": "ALL",
                "max_results": 1,
            },
        )
        found = answer.get("runs")
        return _run(found[0]) if found else None

    def run_update(self, run_id: str, status: str, end_time: int | None = None) -> None:
        """`status` is MLflow's (RUNNING, FINISHED, FAILED, KILLED); `end_time` in milliseconds since 1970."""
        body: dict[str, Any] = {"run_id": run_id, "status": status}
        if end_time is not None:
            body["end_time"] = end_time
        self._post("runs/update", body)

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        self._post("runs/set-tag", {"run_id": run_id, "key": safe_key(key), "value": value[:TAG_LENGTH]})

    def log_batch(
        self,
        run_id: str,
        *,
        metrics: Sequence[MlflowMetric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Logs in as many calls as MLflow's limits ask for; the first refusal ends it. Safe to repeat.

        Names are made acceptable (`safe_key`), long values are cut.
        """
        for kind, entries, most in (
            ("params", _pairs(params or {}, PARAM_LENGTH), PARAMS_PER_CALL),
            ("tags", _pairs(tags or {}, TAG_LENGTH), TAGS_PER_CALL),
            ("metrics", [_metric(metric) for metric in metrics], METRICS_PER_CALL),
        ):
            for part in _parts(entries, most):
                self._post("runs/log-batch", {"run_id": run_id, kind: part})

    # Artifacts

    def artifact_put(self, artifact_uri: str, path: str, chunks: Iterable[bytes], size: int) -> None:
        """Stores `size` bytes under `path` of a run, through MLflow's own artifact service; an old one is replaced."""
        target = urlsplit(artifact_uri)
        if target.scheme != "mlflow-artifacts":
            raise MlflowRefused(
                _("MLflow stores this run's artifacts elsewhere and does not take them itself."),
                hint=_("Start the MLflow server with --serve-artifacts."),
                params={"artifact_uri": artifact_uri},
            )
        folder = target.path.strip("/")
        self._call(
            "PUT",
            f"mlflow-artifacts/artifacts/{quote(f'{folder}/{safe_path(path)}')}",
            content=chunks,
            headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
            timeout=UPLOAD_TIMEOUT,
        )

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("POST", f"mlflow/{path}", json=body)

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return self._call("GET", f"mlflow/{path}", params=query)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        url = f"{self._address().rstrip('/')}/api/2.0/{path}"
        try:
            answer = self._http.request(method, url, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise MlflowUnavailable(
                _("MLflow does not answer (%(error)s).") % {"error": f"{type(error).__name__}: {error}"}
            ) from error
        body = _json_of(answer)
        if answer.is_success and body is not None:
            return body
        if body is None or answer.status_code in (408, 429) or answer.status_code >= 500:
            # After a restart another program may listen on the old port: its answer is not MLflow's.
            raise MlflowUnavailable(_("MLflow answered with status %(status)s.") % {"status": answer.status_code})
        raise MlflowRefused(
            _("MLflow refused: %(message)s") % {"message": str(body.get("message", answer.status_code))[:1000]},
            params={"error_code": body.get("error_code", ""), "status": answer.status_code},
        )


@cache
def mlflow() -> MlflowClient:
    """The client of the server that the settings name."""
    return MlflowClient(address)


def address() -> str:
    """The server's base URL: the configured one, else what its process wrote into the URL file when it started last."""
    if settings.MLFLOW["url"]:
        return str(settings.MLFLOW["url"])
    try:
        url = Path(str(settings.MLFLOW["url_file"])).read_text().strip()
    except OSError:
        url = ""
    if not url:
        raise MlflowUnavailable(_("MLflow has not been started."))
    return url


def safe_key(name: str) -> str:
    """A name that MLflow takes for a metric, a parameter or a tag; too long a name ends in its digest."""
    parts = UNSAFE_IN_KEY.sub("_", name).split("/")
    key = "/".join(part for part in parts if part not in ("", ".", "..")) or "_"
    if len(key) <= KEY_LENGTH:
        return key
    return f"{key[: KEY_LENGTH - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def safe_path(path: str) -> str:
    """A relative path below a run's artifacts that MLflow takes and that stays below."""
    parts = UNSAFE_IN_PATH.sub("_", path).split("/")
    return "/".join(_file_name(part) for part in parts if part.strip() not in ("", ".", "..")) or "_"


def _file_name(name: str) -> str:
    """A name that every file system takes; of too long a one the digest and the end, with its suffix, stay."""
    encoded = name.encode()
    if len(encoded) <= FILE_NAME_BYTES:
        return name
    return f"{sha256(encoded).hexdigest()[:16]}-{encoded[-FILE_NAME_BYTES // 2 :].decode(errors='ignore')}"


def _json_of(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(answer.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _pairs(values: Mapping[str, str], longest: int = TAG_LENGTH) -> list[dict[str, str]]:
    # A key may stand in a call once; of two names that become the same key the later one stays.
    safe = {safe_key(key): value[:longest] for key, value in values.items()}
    return [{"key": key, "value": value} for key, value in safe.items()]


def _metric(metric: MlflowMetric) -> dict[str, Any]:
    value: float | str = metric.value
    if not math.isfinite(metric.value):
        # JSON has no word for these; MLflow reads them as strings.
        value = "NaN" if math.isnan(metric.value) else "Infinity" if metric.value > 0 else "-Infinity"
    return {"key": safe_key(metric.key), "value": value, "timestamp": metric.timestamp, "step": metric.step}


def _parts(entries: Sequence[T], most: int) -> Iterator[list[T]]:
    part: list[T] = []
    length = 0
    for entry in entries:
        size = len(json.dumps(entry))
        if part and (len(part) == most or length + size > CHARACTERS_PER_CALL):
            yield part
            part, length = [], 0
        part.append(entry)
        length += size + 2
    if part:
        yield part


def _has_tag(key: str, value: str) -> str:
    return f"tags.`{key}` = '{value}'"


def _experiment(body: Mapping[str, Any]) -> MlflowExperiment:
    return MlflowExperiment(str(body["experiment_id"]), body["name"], body.get("lifecycle_stage") == "deleted")


def _run(body: Mapping[str, Any]) -> MlflowRun:
    info = body["info"]
    return MlflowRun(info["run_id"], info["artifact_uri"], info["status"])

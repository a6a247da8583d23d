"""Metric points over HTTP: the attempt protocol's events against MLflow's `runs/log-batch`, on one PostgreSQL.

Both sides get the same numbers, under the same names and steps, in batches of the same size, from the same client with
one kept-alive connection per trainer. Rounds alternate, so that what else the machine does meets both. A batch of `n`
points is sent in two shapes: ten values a step, as trainers send an epoch, and one value a step, the most events that
`n` points can be. The MLflow server runs as `mlflow server` starts it: with one process, as the portal has one, which
the bars are about, and then in the first shape with the four that are its default.
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.benchmarks.figures import Figures, arguments, median, percentile
from tests.benchmarks.stand import BenchmarkPortal, mlflow_server, nonce, portal

SIZES = (1, 100, 500, 1000)
#: Batches per client and round: about a second of work each.
BATCHES = {1: 60, 100: 40, 500: 25, 1000: 20}
WIDTHS = (10, 1)
CLIENTS = (1, 4)
SEED = 20261121
BEGAN = 1_790_000_000


@dataclass
class Trainer:
    """One client of one side: a connection, a job, and how far it has written."""

    http: httpx.Client
    url: str
    run_id: str = ""
    seq: int = 0
    step: int = 0
    numbers: random.Random = field(default_factory=lambda: random.Random(SEED))

    def points(self, size: int, width: int) -> list[tuple[int, dict[str, float]]]:
        """`size` values as (step, values), `width` values a step."""
        found = []
        left = size
        while left:
            values = {f"train/value_{number}": self.numbers.random() for number in range(min(width, left))}
            self.step += 1
            found.append((self.step, values))
            left -= len(values)
        return found

    def body(self, size: int, width: int) -> bytes:
        raise NotImplementedError

    def send(self, body: bytes) -> None:
        answer = self.http.post(self.url, content=body, headers={"Content-Type": "application/json"})
        if answer.status_code != 200:
            raise RuntimeError(f"{self.url}: {answer.status_code} {answer.text[:300]}")


class OurTrainer(Trainer):
    """Speaks as the launcher of an attempt."""

    def body(self, size: int, width: int) -> bytes:
        events = []
        for step, values in self.points(size, width):
            self.seq += 1
            data = {"step": step, "epoch": step / 100, "scope": "batch", "values": values}
            events.append({"seq": self.seq, "time": BEGAN + step, "type": "metrics", "data": data})
        return json.dumps({"stream": "trainer", "events": events}).encode()

    def start(self) -> None:
        hello = {"nonce": nonce(), "pid": 1, "host": "bench", "boot_id": "bench", "version": 1, "recovering": False}
        self.http.post(self.url.replace("/events", "/hello"), json=hello).raise_for_status()
        self.seq = 1
        started = {"seq": 1, "time": time.time(), "type": "started", "data": {}}
        self.http.post(self.url, json={"stream": "trainer", "events": [started]}).raise_for_status()


class MlflowTrainer(Trainer):
    """Speaks as MLflow's client would: up to 1,000 metrics a call."""

    def body(self, size: int, width: int) -> bytes:
        metrics = [
            {"key": name, "value": value, "timestamp": (BEGAN + step) * 1000, "step": step}
            for step, values in self.points(size, width)
            for name, value in values.items()
        ]
        return json.dumps({"run_id": self.run_id, "metrics": metrics}).encode()


def our_trainers(beside: BenchmarkPortal, count: int) -> list[Trainer]:
    found: list[Trainer] = []
    for attempt in beside.django("attempts", str(count)):
        http = httpx.Client(timeout=60, trust_env=False, headers={"Authorization": f"Attempt {attempt['token']}"})
        url = f"{beside.url}/api/attempt/v1/{attempt['attempt']}/events"
        trainer = OurTrainer(http, url, attempt["job"])
        trainer.start()
        found.append(trainer)
    return found


def mlflow_trainers(server: str, count: int) -> list[Trainer]:
    base = f"{server}/api/2.0/mlflow"
    found: list[Trainer] = []
    for _number in range(count):
        http = httpx.Client(timeout=60, trust_env=False)
        run = http.post(f"{base}/runs/create", json={"experiment_id": "0", "start_time": BEGAN * 1000})
        run.raise_for_status()
        found.append(MlflowTrainer(http, f"{base}/runs/log-batch", run.json()["run"]["info"]["run_id"]))
    return found


def measure(trainers: list[Trainer], size: int, width: int) -> tuple[float, list[float]]:
    """Points per second of all trainers together in one round, and the seconds of each call."""
    batches = {id(trainer): [trainer.body(size, width) for _ in range(BATCHES[size])] for trainer in trainers}
    calls: list[float] = []
    failures: list[Exception] = []
    gate = threading.Barrier(len(trainers) + 1)

    def work(trainer: Trainer) -> None:
        gate.wait()
        try:
            for body in batches[id(trainer)]:
                began = time.perf_counter()
                trainer.send(body)
                calls.append(time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=(trainer,)) for trainer in trainers]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return size * BATCHES[size] * len(trainers) / (time.perf_counter() - began), calls


def check_stored(beside: BenchmarkPortal, trainers: list[Trainer], sent: int) -> None:
    """Every event and every point that was answered is there."""
    ids = [trainer.run_id for trainer in trainers]
    ((points,),) = beside.rows(
        "SELECT count(*) FROM metrics_point JOIN metrics_series ON metrics_series.id = series_id "
        "WHERE job_id = ANY(%s::uuid[])",
        ids,
    )
    if points != sent:
        raise RuntimeError(f"{sent} points were accepted, {points} are stored")


def compare(figures: Figures, beside: BenchmarkPortal, workers: int, rounds: int, widths: tuple[int, ...]) -> None:
    """Every size, shape and number of clients against a server of so many processes."""
    sent = 0
    with mlflow_server(beside, workers=workers) as server:
        ours, theirs = our_trainers(beside, max(CLIENTS)), mlflow_trainers(server, max(CLIENTS))
        for width, count, size in cases(widths):
            rates: dict[str, list[float]] = {"ours": [], "mlflow": []}
            calls: dict[str, list[float]] = {"ours": [], "mlflow": []}
            for number in range(rounds + 1):
                for name, trainers in (("ours", ours), ("mlflow", theirs)):
                    rate, seconds = measure(trainers[:count], size, width)
                    sent += size * BATCHES[size] * count if name == "ours" else 0
                    if number:  # the first round warms both up
                        rates[name].append(rate)
                        calls[name].extend(seconds)
            ratio = median(rates["ours"]) / median(rates["mlflow"])
            figures.row(
                batch=size,
                values_per_step=min(width, size),
                clients=count,
                mlflow_processes=workers,
                ours_points_per_s=round(median(rates["ours"])),
                mlflow_points_per_s=round(median(rates["mlflow"])),
                ratio=round(ratio, 2),
                ours_p50_ms=round(percentile(calls["ours"], 0.5) * 1000, 1),
                ours_p95_ms=round(percentile(calls["ours"], 0.95) * 1000, 1),
                mlflow_p50_ms=round(percentile(calls["mlflow"], 0.5) * 1000, 1),
                mlflow_p95_ms=round(percentile(calls["mlflow"], 0.95) * 1000, 1),
            )
            name = f"{size} points, {min(width, size)} a step, {count} clients, MLflow with {workers}"
            figures.ratio(name, ratio)
            bars(figures, name, size, width, workers, ratio, percentile(calls["ours"], 0.95))
        check_stored(beside, ours, sent)


def cases(widths: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """Values per step, clients, points per batch."""
    for width in widths:
        for count in CLIENTS:
            for size in SIZES:
                if size > 1 or width == WIDTHS[0]:
                    yield width, count, size


def bars(figures: Figures, name: str, size: int, width: int, workers: int, ratio: float, p95: float) -> None:
    """Held to: several values a step, as trainers send them, and as many processes on either side."""
    if width != WIDTHS[0] or workers != 1:
        return
    low: dict[int, Any] = {100: 2.0, 1000: 5.0}
    if size in low:
        figures.bar(f"× MLflow, {name}", ratio, low=low[size])
    if size == 500:
        figures.bar(f"p95 in ms, {name}", p95 * 1000, high=150)


def main() -> int:
    asked = arguments(__doc__, rounds=3)
    figures = Figures("ingest")
    with portal() as found:
        for workers, widths in ((1, WIDTHS), (4, WIDTHS[:1])):
            figures.say(f"MLflow's server with {workers} process(es):")
            compare(figures, found, workers, asked.rounds, widths)
    return figures.finish()


if __name__ == "__main__":
    raise SystemExit(main())

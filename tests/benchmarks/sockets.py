"""Sockets on one job: hints arrive in order, none is lost, and soon.

A trainer's stand-in sends a batch of events 4.5 times a second over the attempt protocol; programs listen on the job's
socket and follow its rules: a gap is fetched over REST. Latency is from just before the batch is sent to the moment in
which the listener holds it. Listeners run in a process of their own, on the same machine, and belong to fifty people.
"""

import asyncio
import json
import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.benchmarks.figures import Figures, arguments, percentile
from tests.benchmarks.ingest import OurTrainer, our_trainers
from tests.benchmarks.stand import BenchmarkPortal, portal

COUNTS = (200, 500)
PEOPLE = 50
PER_SECOND = 4.5
SERIES = 10
#: Handshakes under way at once, as after a restart with jittered clients.
CONNECTING = 20
PATIENCE = 30.0


@dataclass
class Listener:
    """One program on the job's socket: `last` is the cursor up to which it holds every event."""

    last: int = 0
    first: int = 0
    gaps: int = 0
    doubled: int = 0
    delays: list[float] = field(default_factory=list)

    def take(self, frame: dict[str, Any]) -> bool:
        """Applies a frame; False when events must be fetched first."""
        now = time.time()
        if frame["type"] == "hello":
            self.first = self.last = frame["event_seq"]
            return True
        if frame["type"] != "hint":
            return True
        if frame["from"] > self.last + 1 or ("events" not in frame and frame["to"] > self.last):
            self.gaps += 1
            return False
        numbers = [event["seq"] for event in frame.get("events", [])]
        if numbers != list(range(frame["from"], frame["to"] + 1)):
            raise RuntimeError(f"a hint from {frame['from']} to {frame['to']} holds {numbers}")
        for event in frame.get("events", []):
            if event["seq"] <= self.last:
                self.doubled += 1
            elif event["type"] == "metrics":
                self.delays.append(now - event["time"])
        self.last = max(self.last, frame["to"])
        return True


async def listen(
    socket: ClientConnection, listener: Listener, events_url: str, http: httpx.AsyncClient, end: int
) -> None:
    while listener.last < end:
        frame = json.loads(await socket.recv())
        if not listener.take(frame):
            answer = await http.get(events_url, params={"after": listener.last, "limit": 5000})
            answer.raise_for_status()
            numbers = [event["seq"] for event in answer.json()["events"]]
            if numbers != list(range(listener.last + 1, listener.last + 1 + len(numbers))):
                raise RuntimeError("the events that were fetched have a gap")
            listener.last += len(numbers)


async def follow(url: str, tokens: list[str], job: str, count: int, pipe: Connection) -> None:
    """Opens the sockets, says `ready`, follows until the cursor that the other side names, and tells what it saw."""
    address = f"ws{url.removeprefix('http')}/ws/training-jobs/{job}/"
    gate = asyncio.Semaphore(CONNECTING)

    async def open_one(token: str) -> ClientConnection:
        async with gate:
            return await connect(
                address,
                additional_headers={"Authorization": f"Bearer {token}"},
                open_timeout=60,
                max_queue=None,
                compression=None,
                proxy=None,
            )

    began = time.perf_counter()
    sockets = await asyncio.gather(*(open_one(tokens[number % len(tokens)]) for number in range(count)))
    listeners = [Listener() for _ in sockets]
    for socket, listener in zip(sockets, listeners, strict=True):
        listener.take(json.loads(await socket.recv()))
    pipe.send(time.perf_counter() - began)
    end = await asyncio.to_thread(pipe.recv)
    events_url = f"{url}/api/v1/training-jobs/{job}/events"
    async with httpx.AsyncClient(
        timeout=60, trust_env=False, headers={"Authorization": f"Bearer {tokens[0]}"}
    ) as http:
        tasks = [
            asyncio.create_task(listen(socket, listener, events_url, http, end))
            for socket, listener in zip(sockets, listeners, strict=True)
        ]
        # The sockets kept what came meanwhile; from here on frames are read as they arrive.
        pipe.send("listening")
        done, late = await asyncio.wait(tasks, timeout=await asyncio.to_thread(pipe.recv))
        for task in late:
            task.cancel()
        failed = [task.exception() for task in done if task.exception() is not None]
    await asyncio.gather(*(socket.close() for socket in sockets))
    delays = [delay for listener in listeners for delay in listener.delays]
    facts = {
        "complete": sum(listener.last >= end for listener in listeners),
        "lost": sum(max(0, end - listener.last) for listener in listeners),
        "gaps": sum(listener.gaps for listener in listeners),
        "doubled": sum(listener.doubled for listener in listeners),
        "hello": {listener.first for listener in listeners},
        "failed": [repr(error) for error in failed],
    }
    pipe.send((facts, delays))


def follower(url: str, tokens: list[str], job: str, count: int, pipe: Connection) -> None:
    asyncio.run(follow(url, tokens, job, count, pipe))


def send(trainer: OurTrainer, batches: int) -> None:
    """Batches at a steady pace, each stamped just before it goes."""
    begin = time.perf_counter()
    for number in range(batches):
        time.sleep(max(0.0, begin + number / PER_SECOND - time.perf_counter()))
        trainer.step += 1
        trainer.seq += 1
        values = {f"train/value_{index}": trainer.numbers.random() for index in range(SERIES)}
        data = {"step": trainer.step, "epoch": 0.0, "scope": "batch", "values": values}
        event = {"seq": trainer.seq, "time": time.time(), "type": "metrics", "data": data}
        trainer.send(json.dumps({"stream": "trainer", "events": [event]}).encode())


def measure(figures: Figures, beside: BenchmarkPortal, tokens: list[str], count: int, seconds: int) -> None:
    (trainer,) = our_trainers(beside, 1)
    assert isinstance(trainer, OurTrainer)
    batches = round(seconds * PER_SECOND)
    ((cursor,),) = beside.rows("SELECT event_seq FROM jobs_job WHERE id = %s", trainer.run_id)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=follower, args=(beside.url, tokens, trainer.run_id, count, theirs)
    )
    process.start()
    theirs.close()
    try:
        connected = ours.recv()
        ours.send(cursor + batches)
        ours.recv()
        ours.send(seconds + PATIENCE)
        send(trainer, batches)
        facts, delays = ours.recv()
    finally:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
    if facts["failed"] or facts["hello"] != {cursor}:
        raise RuntimeError(f"{facts}")
    p95 = percentile(delays, 0.95) * 1000
    figures.row(
        sockets=count,
        batches_per_s=PER_SECOND,
        seconds=seconds,
        connected_in_s=round(connected, 1),
        complete=facts["complete"],
        lost=facts["lost"],
        doubled=facts["doubled"],
        fetched_gaps=facts["gaps"],
        p50_ms=round(percentile(delays, 0.5) * 1000),
        p95_ms=round(p95),
        worst_ms=round(max(delays) * 1000),
    )
    figures.bar(f"events lost, {count} sockets", facts["lost"], high=0)
    figures.bar(f"p95 in ms, {count} sockets", p95, high=250)


def main() -> int:
    asked = arguments(__doc__, seconds=20)
    figures = Figures("sockets")
    with portal() as beside:
        tokens = beside.django("viewers", str(PEOPLE))
        for count in COUNTS:
            measure(figures, beside, tokens, count, asked.seconds)
    return figures.finish()


if __name__ == "__main__":
    raise SystemExit(main())

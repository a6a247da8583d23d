// The live client without a browser: a socket, a clock and timers that the test moves by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Cursor, LiveClient } from "../../static/js/live.js";

const event = (seq) => ({ seq, attempt_no: 1, stream: "trainer", type: "metrics", time: seq, data: {} });
const events = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => event(from + at));

function bench({ stored = 0, failing = 0 } = {}) {
  const world = { now: 0, timers: [], sockets: [], applied: [], states: [], summaries: [], snapshots: 0, stored, fetched: [], failing };
  class Socket {
    readyState = 1;
    sent = [];
    send(text) { this.sent.push(text); }
    close() { this.readyState = 3; }
    say(frame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
    die(code = 1006) { this.onclose?.({ code }); }
  }
  world.client = new LiveClient({
    connect() { const socket = new Socket(); world.sockets.push(socket); return socket; },
    async fetchEvents(after, limit) {
      world.fetched.push(after);
      if (world.failing > 0) { world.failing -= 1; throw new Error("no portal"); }
      const to = Math.min(world.stored, after + limit);
      return { events: events(after + 1, to), event_seq: world.stored, more: to < world.stored };
    },
    onSnapshot() { world.snapshots += 1; },
    onEvents: (list) => world.applied.push(...list.map((item) => item.seq)),
    onSummary: (summary) => world.summaries.push(summary),
    onState: (state, detail) => world.states.push(detail.reason ? `${state}:${detail.reason}` : state),
    now: () => world.now,
    random: () => 1,
    later(work, wait) { const timer = { work, at: world.now + wait }; world.timers.push(timer); return timer; },
    cancel(timer) { world.timers = world.timers.filter((other) => other !== timer); },
  });
  world.pass = async (time) => {
    const end = world.now + time;
    for (;;) {
      world.timers.sort((one, other) => one.at - other.at);
      if (!world.timers.length || world.timers[0].at > end) break;
      const timer = world.timers.shift();
      world.now = timer.at;
      timer.work();
      await world.settle();
    }
    world.now = end;
  };
  world.settle = async () => { for (let turn = 0; turn < 50; turn += 1) await Promise.resolve(); };
  world.socket = () => world.sockets.at(-1);
  world.hello = async (seq = world.stored) => { world.socket().say({ type: "hello", event_seq: seq, job: { state: "running" } }); await world.settle(); };
  return world;
}

test("the snapshot is read once, at the first hello, and events go on from there", async () => {
  const world = bench({ stored: 120 });
  world.client.start();
  await world.hello();
  assert.equal(world.snapshots, 1);
  assert.deepEqual(world.states, ["live"]);
  world.socket().say({ type: "hint", from: 121, to: 122, events: events(121, 122), job: {} });
  await world.settle();
  assert.deepEqual(world.applied, [121, 122]);
  assert.deepEqual(world.fetched, []);
});

test("a hint after a gap fetches what is missing, and nothing is applied twice", async () => {
  const world = bench({ stored: 3 });
  world.client.start();
  await world.hello();
  world.stored = 9;
  world.socket().say({ type: "hint", from: 8, to: 9, events: events(8, 9), job: {} });
  world.socket().say({ type: "hint", from: 4, to: 6, events: events(4, 6), job: {} });
  await world.settle();
  assert.deepEqual(world.applied, [4, 5, 6, 7, 8, 9]);
  assert.deepEqual(world.fetched, [3]);
});

test("a hint without events is fetched, page after page", async () => {
  const world = bench();
  world.client.start();
  await world.hello(0);
  world.stored = 2500;
  world.socket().say({ type: "hint", from: 1, to: 2500, job: {} });
  await world.settle();
  assert.equal(world.applied.length, 2500);
  assert.deepEqual(world.fetched, [0, 1000, 2000]);
});

test("an overlapping hint gives only its new part", () => {
  const cursor = new Cursor(5);
  assert.deepEqual(cursor.take(events(3, 7)).map((item) => item.seq), [6, 7]);
  assert.deepEqual(cursor.take([event(9), event(8), event(11)]).map((item) => item.seq), [8, 9]);
  assert.equal(cursor.judge({ from: 4, to: 9, events: [] }), "ignore");
  assert.equal(cursor.judge({ from: 11, to: 12, events: events(11, 12) }), "fetch");
});

test("after a lost connection it catches up from the cursor and takes no second snapshot", async () => {
  const world = bench({ stored: 10 });
  world.client.start();
  await world.hello();
  world.socket().die();
  assert.equal(world.states.at(-1), "reconnecting");
  world.stored = 14;
  await world.pass(500);
  assert.equal(world.sockets.length, 2);
  await world.hello();
  assert.deepEqual(world.applied, [11, 12, 13, 14]);
  assert.equal(world.snapshots, 1);
  assert.equal(world.states.at(-1), "live");
});

test("a server that lost its last second is read anew", async () => {
  const world = bench({ stored: 10 });
  world.client.start();
  await world.hello();
  world.stored = 7;
  world.socket().say({ type: "pong", event_seq: 7 });
  await world.settle();
  assert.equal(world.sockets.length, 1, "a hint may have overtaken one answer");
  world.socket().say({ type: "pong", event_seq: 7 });
  await world.settle();
  await world.pass(500);
  assert.equal(world.sockets.length, 2);
  await world.hello();
  assert.equal(world.snapshots, 2);
  world.stored = 9;
  world.socket().say({ type: "hint", from: 8, to: 9, events: events(8, 9), job: {} });
  await world.settle();
  assert.deepEqual(world.applied, [8, 9]);
});

test("waiting times double up to the limit and begin anew after a hello", async () => {
  const backoff = new Backoff({ random: () => 1 });
  assert.deepEqual(Array.from({ length: 7 }, () => backoff.next()), [500, 1000, 2000, 4000, 8000, 15000, 15000]);
  const least = new Backoff({ random: () => 0 });
  assert.equal(least.next(), 250);
  const world = bench();
  world.client.start();
  for (let turn = 0; turn < 4; turn += 1) { world.socket().die(); await world.pass(20_000); }
  await world.hello();
  assert.equal(world.client.backoff.count, 0);
});

test("a fetch that fails costs the connection, and the gap is filled after the next one", async () => {
  const world = bench({ stored: 1, failing: 1 });
  world.client.start();
  await world.hello();
  world.stored = 5;
  world.socket().say({ type: "hint", from: 4, to: 5, events: events(4, 5), job: {} });
  await world.settle();
  assert.equal(world.states.at(-1), "reconnecting");
  assert.deepEqual(world.applied, []);
  await world.pass(500);
  await world.hello();
  assert.deepEqual(world.applied, [2, 3, 4, 5]);
});

for (const [code, reason] of [[4401, "signed_out"], [4403, "withdrawn"], [4404, "gone"]]) {
  test(`close code ${code} ends it: ${reason}`, async () => {
    const world = bench();
    world.client.start();
    await world.hello();
    world.socket().die(code);
    await world.pass(60_000);
    assert.equal(world.states.at(-1), `refused:${reason}`);
    assert.equal(world.sockets.length, 1);
  });
}

test("close code 4429 is said, and tried again once a minute until there is a place", async () => {
  const world = bench();
  world.client.start();
  world.socket().die(4429);
  await world.settle();
  assert.equal(world.states.at(-1), "refused:crowded");
  world.client.wake();
  await world.pass(55_000);
  assert.equal(world.sockets.length, 1);
  await world.pass(10_000);
  assert.equal(world.sockets.length, 2);
  world.socket().die(4429);
  await world.pass(55_000);
  assert.equal(world.sockets.length, 2);
  await world.pass(10_000);
  await world.hello(0);
  assert.equal(world.client.state, "live");
});

test("fifteen seconds of silence are stale, a pong is life, thirty seconds cost the connection", async () => {
  const world = bench();
  world.client.start();
  await world.hello(0);
  await world.pass(15_000);
  assert.equal(world.client.state, "live");
  await world.pass(5_000);
  assert.equal(world.client.state, "stale");
  assert.ok(world.socket().sent.includes('{"type": "ping"}'));
  world.socket().say({ type: "pong", event_seq: 0 });
  await world.settle();
  assert.equal(world.client.state, "live");
  await world.pass(35_000);
  assert.equal(world.client.state, "reconnecting");
});

test("a pong that knows more than the cursor makes the client fetch", async () => {
  const world = bench();
  world.client.start();
  await world.hello(0);
  world.stored = 2;
  world.socket().say({ type: "pong", event_seq: 2 });
  await world.settle();
  assert.deepEqual(world.applied, [1, 2]);
});

test("a page that wakes up after a long sleep connects at once", async () => {
  const world = bench();
  world.client.start();
  await world.hello(0);
  world.now += 3_600_000;
  world.client.wake();
  assert.equal(world.client.state, "reconnecting");
  world.client.wake();
  assert.equal(world.sockets.length, 2);
});

test("what an old socket still says is not heard", async () => {
  const world = bench({ stored: 1 });
  world.client.start();
  await world.hello();
  const old = world.socket();
  const late = old.onmessage;
  old.die();
  late({ data: JSON.stringify({ type: "hint", from: 2, to: 2, events: events(2, 2), job: {} }) });
  await world.settle();
  assert.deepEqual(world.applied, []);
});

test("stopped means stopped", async () => {
  const world = bench();
  world.client.start();
  await world.hello(0);
  world.client.stop();
  await world.pass(120_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.length, 0);
});

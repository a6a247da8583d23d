// Everything of the browser's code that needs no browser, besides live.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lastState, levelOf, parseAnsi, plainStyle } from "../../static/js/ansi.js";
import { contain, isShown, labelPoint, maskPieces, partsOf as drawnAs } from "../../static/js/boxes.js";
import { cells } from "../../static/js/charts/density.js";
import { shares } from "../../static/js/charts/heatmap.js";
import { between, stepped } from "../../static/js/choose.js";
import { clipRange, pairs, smooth, tableRows, toCsv } from "../../static/js/charts/series.js";
import { isWorth, WORTH } from "../../static/js/direct.js";
import { ago, bytes, clock, duration, figure, moment, tick } from "../../static/js/format.js";
import { Logbook, passes } from "../../static/js/logbook.js";
import { baseOf, MetricStore, Series, toNumber } from "../../static/js/metrics.js";
import { complaint, sameValue } from "../../static/js/schema-form.js";
import { sideBySide } from "../../static/js/sending.js";
import { stageStates } from "../../static/js/stages.js";
import { cleanPath, isInParts, isJunk, partsOf, UploadPlan } from "../../static/js/upload-plan.js";
import { held, resized, zoomed } from "../../static/js/viewer.js";

const steps = (series) => series.points.map(([step, , , , attempt]) => [step, attempt]);
const point = (step, value, attempt = 1) => [step, null, step, value, attempt];

test("points are appended; the last of a repeated step wins", () => {
  const series = new Series({ name: "train/loss" });
  [point(1, 9), point(2, 8), point(3, 7), point(2, 80)].forEach((item) => series.add(item));
  assert.deepEqual(steps(series), [[1, 1], [2, 1], [3, 1]]);
  assert.equal(series.points[1][3], 80);
});

test("a resumed attempt cuts what the earlier one had from its first step on", () => {
  const series = new Series({ name: "train/loss" });
  for (let step = 1; step <= 5; step += 1) series.add(point(step, step));
  series.add(point(4, 40, 2));
  assert.deepEqual(steps(series), [[1, 1], [2, 1], [3, 1], [4, 2]]);
  series.add(point(5, 50, 2));
  series.add(point(5, 5, 1)); // comes late, from the attempt that was cut
  assert.deepEqual(steps(series), [[1, 1], [2, 1], [3, 1], [4, 2], [5, 2]]);
});

test("a metrics event fills its series and names those that nobody declared", () => {
  const store = new MetricStore();
  store.describe({ name: "train/loss", group: "loss", title: "Loss" });
  const { changed, unknown } = store.apply({ type: "metrics", attempt_no: 1, time: 12.5, data: { scope: "epoch", step: 3, epoch: 1, values: { "train/loss": "NaN", "val/map50": 0.5 } } });
  assert.deepEqual([...changed], ["train/loss", "val/map50"]);
  assert.deepEqual([...unknown], ["val/map50"]);
  assert.ok(Number.isNaN(store.series.get("train/loss").points[0][3]));
  assert.deepEqual(store.series.get("val/map50").points, [[3, 1, 12.5, 0.5, 1]]);
  assert.equal(toNumber("-Infinity"), -Infinity);
  assert.equal(baseOf("val/loss"), "loss");
  assert.equal(baseOf("lr/pg0"), "lr/pg0");
});

test("a series that came live is in no chart before the portal has told its group", () => {
  const store = new MetricStore();
  const event = { type: "metrics", attempt_no: 1, time: 1, data: { scope: "epoch", step: 1, values: { "val/precision": 0.5, "val/recall": 0.4, "system/cpu_percent": 7 } } };
  assert.equal(store.apply(event).unknown.size, 3);
  assert.equal(store.apply(event).unknown.size, 3); // asked for again until it is known
  assert.equal(store.groups().size, 0);
  for (const name of ["val/precision", "val/recall"]) store.describe({ name, group: "precision and recall", scope: "epoch" });
  store.describe({ name: "system/cpu_percent", group: "system", scope: "system" });
  assert.equal(store.apply(event).unknown.size, 0);
  assert.deepEqual([...store.groups()].map(([key, list]) => [key, list.length]), [["job:precision and recall", 2], ["system:utilisation", 1]]);
  store.series.get("system/cpu_percent").points = [];
  assert.deepEqual([...store.groups().keys()], ["job:precision and recall"]);
});

test("samples of the machine lie one attempt after the other in time, and none is cut", () => {
  const series = new Series({ name: "system/cpu_percent", scope: "system" });
  const sample = (step, time, attempt) => [step, null, time, time, attempt];
  [sample(1, 100, 1), sample(2, 101, 1), sample(3, 102, 1), sample(1, 200, 2), sample(2, 201, 2)].forEach((item) => series.add(item));
  series.add(sample(4, 103, 1)); // comes late
  series.add(sample(2, 201, 2)); // comes twice
  const times = [100, 101, 102, 103, 200, 201];
  assert.deepEqual(series.points.map(([, , time]) => time), times);
  const drawn = pairs(series.points, { axis: "time", log: false, start: 0 });
  assert.deepEqual(drawn.map(([x, y]) => [x / 1000, y]), [[100, 100], [101, 101], [102, 102], [103, 103], [103, null], [200, 200], [201, 201]]);
  assert.deepEqual(tableRows([series]).steps, times);
});

test("smoothing keeps a constant constant, and passes over what is not finite", () => {
  assert.deepEqual(smooth([[1, 2], [2, 2], [3, 2]], 0.9).map(([, y]) => Number(y.toFixed(9))), [2, 2, 2]);
  const [, gap, after] = smooth([[1, 4], [2, NaN], [3, 4]], 0.5);
  assert.ok(Number.isNaN(gap[1]));
  assert.equal(after[1], 4);
});

test("outliers are clipped, an ordinary curve is not", () => {
  const plain = Array.from({ length: 50 }, (_, at) => 1 + at / 50);
  assert.equal(clipRange(plain), null);
  const [low, high] = clipRange([...plain, 500]);
  assert.equal(low, 1);
  assert.ok(high < 4);
  assert.equal(clipRange([1, 500]), null);
});

test("a log axis has gaps where there is no logarithm; an axis that does not apply drops the point", () => {
  const points = [[1, 1, 100, 0, 1], [2, null, 101, 5, 1]];
  assert.ok(Number.isNaN(pairs(points, { axis: "step", log: true, start: 0 })[0][1]));
  assert.deepEqual(pairs(points, { axis: "epoch", log: false, start: 0 }), [[1, 0]]);
  assert.deepEqual(pairs(points, { axis: "relative", log: false, start: 100 }), [[0, 0], [1, 5]]);
});

test("CSV has a byte order mark and no formulas", () => {
  const series = new Series({ name: '=cmd|"x"' });
  series.add(point(1, 0.5));
  const csv = toCsv([series]);
  assert.ok(csv.startsWith("\ufeffseries,attempt"));
  assert.ok(csv.includes('"\'=cmd|""x""",1,1,,'));
});

test("the table for readers has the last step and no more rows than asked for", () => {
  const series = new Series({ name: "a" });
  for (let step = 1; step <= 101; step += 1) series.add(point(step, step));
  const { steps: rows } = tableRows([series], 20);
  assert.ok(rows.length <= 20);
  assert.equal(rows.at(-1), 101);
});

test("ANSI colours become classes and carry on; every other sequence goes", () => {
  const style = plainStyle();
  assert.deepEqual(parseAnsi("\x1b[1;31mbad\x1b[K rest", style), [{ text: "bad", css: "ansi-bold ansi-31" }, { text: " rest", css: "ansi-bold ansi-31" }]);
  assert.deepEqual(parseAnsi("on\x1b[0m off", style), [{ text: "on", css: "ansi-bold ansi-31" }, { text: " off", css: "" }]);
  assert.deepEqual(parseAnsi("\x1b[38;5;196mx\x1b]0;title\x07y"), [{ text: "x", css: "" }, { text: "y", css: "" }]);
  assert.equal(lastState("10%\r50%\r100%\r"), "100%");
  assert.equal(levelOf("RuntimeError: no"), "info");
  assert.equal(levelOf("ERROR no"), "error");
});

test("a log in pieces has whole lines, right numbers, and bounded memory", () => {
  const book = new Logbook({ limit: 3 });
  assert.equal(book.push("one\ntw").length, 1);
  assert.deepEqual(book.push("o\n3\n4\n5\nlast").map((line) => line.number), [2, 3, 4, 5]);
  assert.deepEqual(book.lines.map((line) => line.number), [3, 4, 5]);
  assert.equal(book.dropped, 2);
  assert.equal(book.finish()[0].text, "last");
  assert.ok(passes({ level: "error" }, "warning"));
  assert.ok(!passes({ level: "info" }, "warning"));
});

test("stages follow the state", () => {
  const stages = ["queued", "preparing", "training", "evaluating"];
  assert.deepEqual(stageStates(stages, { state: "queued" }), ["current", "ahead", "ahead", "ahead"]);
  assert.deepEqual(stageStates(stages, { state: "starting", stage: null }), ["done", "current", "ahead", "ahead"]);
  assert.deepEqual(stageStates(stages, { state: "running", stage: "training" }), ["done", "done", "current", "ahead"]);
  assert.deepEqual(stageStates(stages, { state: "failed", stage: "training" }), ["done", "done", "ahead", "ahead"]);
  assert.deepEqual(stageStates(stages, { state: "succeeded", stage: "training" }), ["done", "done", "done", "done"]);
});

test("an upload sends what is not there yet, and tries failed files again", () => {
  const plan = new UploadPlan();
  assert.equal(plan.add("a/.DS_Store", 1), null);
  plan.add("/a/1.jpg", 10);
  plan.add("a\\2.jpg", 30);
  assert.equal(plan.add("a/1.jpg", 10), null);
  plan.settle([{ path: "a/1.jpg", size: 10 }, { path: "a/2.jpg", size: 7 }]);
  assert.equal(plan.next().path, "a/2.jpg");
  assert.equal(plan.progress().fraction, 0.25);
  Object.assign(plan.next(), { state: "failed", error: "no" });
  assert.equal(plan.next(), undefined);
  plan.retry();
  Object.assign(plan.next(), { state: "sent", loaded: 30 });
  assert.ok(plan.progress().done);
  assert.equal(cleanPath("각".normalize("NFD")), "각");
  assert.ok(isJunk("__MACOSX/a.jpg") && isJunk("x/._a.jpg") && !isJunk("x/a._b.jpg"));
});

const planned = (paths, file) => {
  const plan = new UploadPlan();
  for (const path of paths) plan.add(path, 10, file);
  return plan;
};

test("an upload that is gone on with takes what has arrived for sent, unless it was changed since", () => {
  const plan = planned([]);
  plan.add("a/old.jpg", 10, { lastModified: 1000 });
  plan.add("a/edited.jpg", 10, { lastModified: 3000 });
  plan.add("a/large.zip", 90, { lastModified: 1000 });
  const arrived = [{ path: "a/old.jpg", size: 10 }, { path: "a/edited.jpg", size: 10 }];
  plan.settle(arrived, { begun: ["a/large.zip", "a/gone.zip"], since: 2000 });
  assert.deepEqual(plan.order.map((item) => [item.state, item.changed, item.begun]), [["sent", false, false], ["waiting", true, false], ["waiting", false, true]]);
  // Asked again in the same window, it is not taken for the earlier one either.
  plan.settle(arrived);
  assert.equal(plan.next().path, "a/edited.jpg");
});

test("what has arrived of files that were not chosen is told from the same set chosen again", () => {
  const plan = planned(["a/1.jpg", "a/2.jpg", "a/3.jpg"]);
  assert.equal(plan.missing(["a/1.jpg", "a/3.jpg"]), 0);
  assert.equal(plan.missing([]), 0);
  assert.equal(plan.missing(["a/1.jpg", "b/1.jpg", "b/2.jpg"]), 2);
});

test("files that are chosen have a name together: their folder, or the one file", () => {
  assert.equal(planned(["photos/a/1.jpg", "photos/b/2.jpg"]).name, "photos");
  assert.equal(planned(["photos.zip"]).name, "photos.zip");
  assert.equal(planned(["a/1.jpg", "ab/1.jpg"]).name, "");
  assert.equal(planned(["1.jpg", "2.jpg"]).name, "");
  assert.equal(planned([]).name, "");
});

test("one failed file is tried again, the others wait for theirs", () => {
  const plan = planned(["1", "2", "3"]);
  for (const item of plan.order) Object.assign(item, { state: "failed", loaded: 4, error: "no" });
  plan.retry("2");
  plan.retry("unknown");
  assert.deepEqual(plan.order.map((item) => item.state), ["failed", "waiting", "failed"]);
  assert.deepEqual([plan.next().path, plan.next().loaded, plan.next().error], ["2", 0, ""]);
  plan.retry();
  assert.equal(plan.next().path, "1");
});

test("what was being sent waits again after a break, what has arrived does not", () => {
  const plan = planned(["1", "2", "3"]);
  plan.order[0].state = "sent";
  plan.next().state = "sending";
  assert.equal(plan.next().path, "3");
  plan.rest();
  assert.equal(plan.next().path, "2");
  plan.restart();
  assert.equal(plan.next().path, "1");
});

test("of many files those that failed have rows, whatever their number, and then what goes on", () => {
  const few = planned(["1", "2", "3"]);
  few.order[2].state = "failed";
  few.order[0].state = "sent";
  assert.deepEqual(few.shown(3).items.map((item) => item.path), ["3", "1", "2"]);
  const many = planned(Array.from({ length: 5000 }, (_, number) => `${number}`));
  many.order.forEach((item, number) => (item.state = number < 2000 ? "sent" : number % 10 ? "waiting" : "failed"));
  many.order[2001].state = "sending";
  const { items, hidden } = many.shown(200);
  assert.deepEqual([items.filter((item) => item.state === "failed").length, hidden], [300, 0]);
  assert.equal(items[300].path, "2001");
  assert.equal(items.length, 500);
  many.order.forEach((item) => (item.state = "failed"));
  assert.deepEqual([many.shown(200).items.length, many.shown(200).hidden], [1000, 4000]);
});

test("a plan of a quarter of a million files is gone through once", () => {
  const plan = planned(Array.from({ length: 250_000 }, (_, number) => `${number}`));
  let sent = 0;
  for (let item = plan.next(); item; item = plan.next(), sent += 1) item.state = "sent";
  assert.equal(sent, 250_000);
});

test("work goes side by side; what fails lets nothing further begin, and what has begun ends first", async () => {
  const [begun, ended] = [[], []];
  const work = (bad) => async (index) => {
    begun.push(index);
    await Promise.resolve();
    if (index === bad) throw new Error("bad");
    await Promise.resolve();
    ended.push(index);
  };
  await sideBySide(5, 2, work(-1));
  assert.deepEqual(ended.toSorted(), [0, 1, 2, 3, 4]);
  begun.length = ended.length = 0;
  await assert.rejects(sideBySide(50, 2, work(0)), { message: "bad" });
  assert.ok(begun.length < 5);
  assert.deepEqual(ended, begun.filter((index) => index !== 0));
});

test("settings: equal values, limits in words", () => {
  assert.ok(sameValue("0.10", "0.1") && sameValue("True", "true") && !sameValue("", "0"));
  assert.equal(complaint("5", { min: "1", max: "10", step: "1" }), "");
  assert.equal(complaint("5.5", { step: "1" }), "A whole number is needed.");
  assert.equal(complaint("0", { min: "1" }), "At least 1.");
  assert.equal(complaint("", { required: true }), "A value is needed.");
});

test("boxes: a picture lies centred in its frame; thresholds spare boxes without a score", () => {
  assert.deepEqual(contain(100, 50, 200, 200), { left: 0, top: 50, scale: 2 });
  assert.ok(isShown({}, { threshold: 0.9, kind: "" }));
  assert.ok(!isShown({ score: 0.5 }, { threshold: 0.9, kind: "" }));
  assert.ok(!isShown({ score: 1, kind: "prediction" }, { threshold: 0, kind: "truth" }));
});

test("layers: an object is hidden by its class, or with all that it is drawn as", () => {
  const person = { class: 2, bbox: [0, 0, 4, 4], keypoints: [1, 1, 2] };
  assert.deepEqual(drawnAs(person), ["bbox", "keypoints"]);
  assert.deepEqual(drawnAs({ class: 0, bbox: [0, 0, 4, 4], polygon: [[0, 0, 4, 0, 4, 4]] }), ["polygon"]);
  assert.deepEqual(drawnAs({ class: 0 }), ["picture"]);
  const hiding = (...hidden) => isShown(person, { threshold: 0, kind: "", hidden: new Set(hidden) });
  assert.ok(hiding("bbox") && hiding("keypoints") && hiding("class-1", "names"));
  assert.ok(!hiding("bbox", "keypoints") && !hiding("class-2"));
});

test("a closer look shows the same part in a frame of another size", () => {
  assert.deepEqual(resized({ scale: 2, x: -100, y: -150 }, [400, 300], [200, 150]), { scale: 2, x: -50, y: -75 });
  assert.deepEqual(resized({ scale: 1, x: 0, y: 0 }, [0, 0], [200, 150]), { scale: 1, x: 0, y: 0 });
});

test("a closer look keeps the point under the pointer and never leaves the picture", () => {
  const frame = [400, 300];
  const closer = zoomed({ scale: 1, x: 0, y: 0 }, 2, [100, 150], frame);
  assert.deepEqual(closer, { scale: 2, x: -100, y: -150 });
  // The point of the picture that was there is there still.
  assert.equal((100 - closer.x) / closer.scale, 100);
  assert.deepEqual(zoomed(closer, 0, [0, 0], frame), { scale: 1, x: 0, y: 0 });
  assert.equal(zoomed(closer, 1000, [0, 0], frame).scale, 32);
  assert.deepEqual(held({ scale: 2, x: 50, y: -900 }, frame), { scale: 2, x: 0, y: -300 });
});

test("masks: runs down the columns become rectangles, whole columns in one", () => {
  // 3 rows: background 1, object 1, background 2, object 2 + 3 + 1, background.
  assert.deepEqual(maskPieces({ size: [3, 9], counts: [1, 1, 2, 6, 17] }), [
    [0, 1, 1, 1],
    [1, 1, 1, 2],
    [2, 0, 1, 3],
    [3, 0, 1, 1],
  ]);
  assert.deepEqual(maskPieces({ size: [2, 3], counts: [0, 6] }), [[0, 0, 3, 2]]);
  assert.deepEqual(maskPieces({ size: [2, 3], counts: [6] }), []);
});

test("a name stands at the highest corner of an outline, else at the box", () => {
  assert.deepEqual(labelPoint({ bbox: [1, 2, 3, 4] }), [1, 2]);
  assert.deepEqual(labelPoint({ bbox: [1, 2, 3, 4], corners: [1, 4, 3, 2, 4, 5, 2, 6] }), [3, 2]);
  assert.deepEqual(labelPoint({ bbox: [1, 2, 3, 4], polygon: [[1, 4, 3, 5, 2, 6], [2, 2, 4, 3, 3, 4]] }), [2, 2]);
});

test("shares of a confusion matrix; an empty row has none", () => {
  assert.deepEqual(shares([[3, 1], [0, 0]], "row"), [[0.75, 0.25], [null, null]]);
  assert.deepEqual(shares([[3, 1], [1, 1]], "column"), [[0.75, 0.5], [0.25, 0.5]]);
});

test("figures in words", () => {
  assert.equal(figure(0.123456), "0.1235");
  assert.equal(figure(0.00001234), "1.23e-5");
  assert.equal(figure(NaN), "NaN");
  assert.equal(bytes(1536), "1.5\u00a0KiB");
  assert.equal(duration(3725), "1 h 2 min");
  assert.equal(ago(120), "2 minutes ago");
  assert.equal(ago(-7200), "in 2 hours");
});

test("times are those of the zone in which the page writes its own, wherever the browser is", () => {
  const time = Date.UTC(2026, 10, 23, 15, 0, 0) / 1000;
  assert.equal(moment(time + 5, "Asia/Seoul"), "2026-11-24 00:00:05");
  assert.equal(moment(time, "America/New_York"), "2026-11-23 10:00:00");
  assert.equal(clock(time, "Asia/Seoul"), "00:00:00");
  assert.deepEqual([60, 65].map((later) => tick(time + later, false, "Asia/Seoul")), ["00:01", "00:01:05"]);
  assert.deepEqual([0, 86400].map((later) => tick(time + later, true, "Asia/Seoul")), ["11-24 00:00", "11-25 00:00"]);
});

test("a page in a zone that the browser does not know has times all the same", () => {
  for (const timeZone of ["Factory", "Mars/Olympus", ""]) {
    globalThis.document = { documentElement: { dataset: { timeZone } } };
    assert.match(moment(0), /^19(69|70)-\d\d-\d\d \d\d:\d\d:\d\d$/);
  }
  delete globalThis.document;
});

test("a range of choices holds both of its ends, in either direction", () => {
  assert.deepEqual(between(2, 4), [2, 3, 4]);
  assert.deepEqual(between(4, 2), [2, 3, 4]);
  assert.deepEqual(between(3, 3), [3]);
});

test("arrow keys lead through the grid and stop at its edges", () => {
  const from = (key, at) => stepped(key, at, 10, 4);
  assert.deepEqual(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => from(key, 5)), [4, 6, 1, 9]);
  assert.deepEqual([from("ArrowLeft", 0), from("ArrowUp", 2), from("ArrowDown", 7), from("ArrowRight", 9)], [0, 2, 7, 9]);
  assert.equal(from("Home", 5), 5);
});

test("a grid is drawn by its cells that have any, the rare ones too", () => {
  assert.deepEqual(cells([[0, 4], [1, 0]]), [[1, 0, 1, 4], [0, 1, 0.5, 1]]);
  assert.deepEqual(cells([[0, 0], [0, 0]]), []);
});

test("a file is cut into parts that follow each other and end where it ends", () => {
  assert.deepEqual(partsOf(10, 4), [[0, 4], [4, 8], [8, 10]]);
  assert.deepEqual(partsOf(8, 4), [[0, 4], [4, 8]]);
  assert.deepEqual(partsOf(1, 4), [[0, 1]]);
});

test("files of a few parts go in one piece", () => {
  assert.ok(isInParts(17, 4));
  assert.ok(!isInParts(16, 4));
});

test("large files are worth sending straight to the store, many small ones and empty ones are not", () => {
  assert.ok(isWorth([WORTH]));
  assert.ok(isWorth([2 * WORTH, 100]));
  assert.ok(!isWorth([]));
  assert.ok(!isWorth([WORTH - 1]));
  assert.ok(!isWorth([WORTH, ...new Array(50).fill(1000)]));
  assert.ok(!isWorth([5 * WORTH, 0]));
});

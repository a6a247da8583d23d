/** Which stages of a job are done, running, or still to come. Pure. */

const FINISHED = new Set(["succeeded", "stopped", "failed", "errored"]);

/** @param {string} state */
export function isFinished(state) {
  return FINISHED.has(state);
}

/**
 * @param {string[]} stages codes in their order, the first is the queue
 * @param {{state: string, stage?: string|null}} job
 * @returns {("done"|"current"|"ahead")[]}
 */
export function stageStates(stages, { state, stage }) {
  if (state === "succeeded") return stages.map(() => "done");
  if (state === "draft") return stages.map(() => "ahead");
  const at = state === "queued" ? 0 : Math.max(1, stages.indexOf(stage || ""));
  return stages.map((_, index) => (index < at ? "done" : index > at ? "ahead" : isFinished(state) ? "ahead" : "current"));
}

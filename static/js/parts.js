/**
 * Large files through the portal, in parts with digests: a part that arrives with a wrong byte is refused and sent again
 * by itself, and after a break only those are sent that have not arrived. Used by upload.js.
 */
import { ApiError, get, post } from "./api.js";
import { digestOf, pause, put, sideBySide } from "./sending.js";
import { partsOf } from "./upload-plan.js";

const AT_ONCE = 3;
const TRIES = 4;
/** The portal lacks parts that it said it had: it threw them away, or somebody else did. */
const MISSED = ["parts_missing", "size_mismatch"];
/** A body that was cut or changed on its way. */
const DAMAGED = ["digest_mismatch", "incomplete"];

/**
 * @param {string} upload address of the upload @param {{path: string, file: File}} item
 * @param {{signal: AbortSignal, onProgress: (loaded: number) => void}} options
 * @throws {ApiError}
 */
export async function sendInParts(upload, { path, file }, { signal, onProgress }) {
  for (let time = 1; ; time += 1) {
    const answer = await get(`${upload}/parts?path=${encodeURIComponent(path)}`, { signal });
    const digests = await sendMissing(upload, { path, file }, answer, { signal, onProgress });
    try {
      await insist(() => post(`${upload}/parts/join`, { path, size: file.size, parts: digests }, { signal }), signal);
      return;
    } catch (error) {
      if (!MISSED.includes(error.code)) throw error;
      if (await hasArrived(upload, path, file.size, signal)) return;
      if (time === TRIES) throw error;
    }
  }
}

/** Sends the parts that the portal has not; the digests of all. */
async function sendMissing(upload, { path, file }, { part_bytes: bytes, parts }, { signal, onProgress }) {
  const spans = partsOf(file.size, bytes);
  const arrived = new Map(parts.map(({ number, sha256 }) => [number, sha256]));
  const digests = new Array(spans.length);
  const loaded = new Array(spans.length).fill(0);
  const note = (index, count) => {
    loaded[index] = count;
    onProgress(loaded.reduce((sum, part) => sum + part, 0));
  };
  await sideBySide(spans.length, AT_ONCE, async (index) => {
    const part = file.slice(...spans[index]);
    digests[index] = await digestOf(part);
    if (arrived.get(index + 1) !== digests[index]) {
      const query = new URLSearchParams({ path, number: String(index + 1), sha256: digests[index] });
      await insist(() => put(`${upload}/parts?${query}`, part, { signal, onProgress: (count) => note(index, count) }), signal);
    }
    note(index, part.size);
  });
  return digests;
}

/** Tries again what may pass, and at once what was damaged on its way. */
async function insist(act, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await act();
    } catch (error) {
      const damaged = DAMAGED.includes(error.code);
      if (!(error instanceof ApiError) || attempt === TRIES || !(damaged || error.passing)) throw error;
      if (!damaged) await pause(attempt, signal);
    }
  }
}

/** Whether it was joined, and only the answer was lost. */
async function hasArrived(upload, path, size, signal) {
  const { files } = await get(upload, { signal });
  return files.some((file) => file.path === path && file.size === size);
}

/**
 * Large files straight to the object store, in parts. The portal gives an address for each part and joins them; what is
 * sent is compared with the digests by its workers. Used by upload.js where the portal says that its store takes files
 * from pages.
 */
import { ApiError, call, post } from "./api.js";
import { digestOf, pause, send, sideBySide } from "./sending.js";
import { partsOf } from "./upload-plan.js";

const AT_ONCE = 3;
const TRIES = 4;
/** Files smaller than this on average go through the portal: each costs requests of its own here. */
export const WORTH = 32 * 1024 * 1024;

/** The store cannot be reached from this page: the files may still go through the portal. */
export class StoreUnreachable extends Error {}

/** Whether files of these sizes are better sent straight to the store. @param {number[]} sizes */
export function isWorth(sizes) {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.length > 0 && sizes.every((size) => size > 0) && total / sizes.length >= WORTH;
}

/**
 * Sends a file; what the store has already is not sent again.
 * @param {string} upload address of the upload
 * @param {{path: string, file: File, changed?: boolean}} item `changed`: what the store has of it is of an earlier state
 * @param {{signal: AbortSignal, onProgress: (loaded: number) => void}} options
 * @throws {ApiError|StoreUnreachable}
 */
export async function sendDirect(upload, item, { signal, onProgress }) {
  const { file } = item;
  const opened = await open(upload, item, signal);
  if (opened.completed_at) return;
  const spans = partsOf(file.size, opened.part_bytes);
  const arrived = new Set(opened.arrived);
  const digests = new Array(spans.length);
  const loaded = new Array(spans.length).fill(0);
  const note = (index, bytes) => {
    loaded[index] = bytes;
    onProgress(loaded.reduce((sum, part) => sum + part, 0));
  };
  await sideBySide(spans.length, AT_ONCE, async (index) => {
    const blob = file.slice(...spans[index]);
    digests[index] = await digestOf(blob);
    if (!arrived.has(index + 1)) await sendPart(`${upload}/direct/${opened.id}`, index + 1, blob, { signal, onProgress: (bytes) => note(index, bytes) });
    note(index, blob.size);
  });
  await post(`${upload}/direct/${opened.id}/complete`, { sha256: digests }, { signal });
}

/** The file as the portal knows it; one that is of another state of this file is taken out first. */
async function open(upload, item, signal) {
  const begin = () => post(`${upload}/direct`, { path: item.path, size: item.file.size }, { signal });
  const anew = async (id) => {
    await call("DELETE", `${upload}/direct/${id}`, { signal });
    item.changed = false;
    return begin();
  };
  try {
    const opened = await begin();
    return item.changed && opened.arrived.length ? await anew(opened.id) : opened;
  } catch (error) {
    if (error.code !== "path_taken") throw error;
    return anew(error.params.id);
  }
}

/** Each try has an address of its own: the one before may have ended. */
async function sendPart(file, number, blob, { signal, onProgress }) {
  let status = 0;
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const { parts } = await post(`${file}/parts`, { parts: [{ number }] }, { signal });
    // The store is told nothing of this page: no cookie, no header.
    ({ status } = await send(parts[0], blob, { signal, onProgress }));
    if (status >= 200 && status < 300) return;
    onProgress(0);
    if (attempt < TRIES) await pause(attempt, signal);
  }
  // A page that the store does not let in (CORS) looks like a store that is not there.
  if (status === 0) throw new StoreUnreachable();
  throw new ApiError(status, {});
}

/**
 * Large files straight to the object store, in parts. The portal gives an address for each part and joins them; what is
 * sent is compared with the digests by its workers. Used by upload.js where the portal says that its store takes files
 * from pages.
 */
import { ApiError, post } from "./api.js";

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

/** Start and end of each part. @param {number} size @param {number} part @returns {[number, number][]} */
export function partsOf(size, part) {
  return Array.from({ length: Math.ceil(size / part) }, (_, number) => [number * part, Math.min(size, (number + 1) * part)]);
}

/** @param {Blob} blob @returns {Promise<string>} */
async function digestOf(blob) {
  const bytes = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One part to the store, which is told nothing of this page: no cookie, no header. Resolves to the status; 0: no answer. */
function put({ method, url, headers }, blob, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => resolve(request.status);
    request.onerror = () => resolve(0);
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort, { once: true });
    request.send(blob);
  });
}

/**
 * Sends a file; what the store has already is not sent again.
 * @param {string} upload address of the upload @param {{path: string, file: File}} item
 * @param {{signal: AbortSignal, onProgress: (loaded: number) => void}} options
 * @throws {ApiError|StoreUnreachable}
 */
export async function sendDirect(upload, { path, file }, { signal, onProgress }) {
  const opened = await post(`${upload}/direct`, { path, size: file.size }, { signal });
  if (opened.completed_at) return;
  const spans = partsOf(file.size, opened.part_bytes);
  const arrived = new Set(opened.arrived);
  const digests = new Array(spans.length);
  const loaded = new Array(spans.length).fill(0);
  const note = (index, bytes) => {
    loaded[index] = bytes;
    onProgress(loaded.reduce((sum, part) => sum + part, 0));
  };
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < spans.length; index = next++) {
      const blob = file.slice(...spans[index]);
      digests[index] = await digestOf(blob);
      if (!arrived.has(index + 1)) await sendPart(`${upload}/direct/${opened.id}`, index + 1, blob, { signal, onProgress: (bytes) => note(index, bytes) });
      note(index, blob.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await post(`${upload}/direct/${opened.id}/complete`, { sha256: digests }, { signal });
}

/** Each try has an address of its own: the one before may have ended. */
async function sendPart(file, number, blob, { signal, onProgress }) {
  let status = 0;
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const { parts } = await post(`${file}/parts`, { parts: [{ number }] }, { signal });
    status = await put(parts[0], blob, { signal, onProgress });
    if (status >= 200 && status < 300) return;
    onProgress(0);
    if (attempt < TRIES) await new Promise((resolve) => setTimeout(resolve, 300 * 2 ** attempt * (0.5 + Math.random() / 2)));
    if (signal.aborted) throw new DOMException("", "AbortError");
  }
  // A page that the store does not let in (CORS) looks like a store that is not there.
  if (status === 0) throw new StoreUnreachable();
  throw new ApiError(status, {});
}

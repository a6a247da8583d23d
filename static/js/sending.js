/** Bodies on their way: by XMLHttpRequest, the only one that tells how much has left. */
import { ApiError, csrfToken } from "./api.js";

/** Whether this page may digest what it sends: only one that came safely. */
export const canDigest = () => Boolean(globalThis.crypto?.subtle);

/** @param {Blob} blob @returns {Promise<string>} SHA-256 */
export async function digestOf(blob) {
  const bytes = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Longer after each attempt. Ends at once when the sending is given up. @param {number} attempt @param {AbortSignal} signal */
export async function pause(attempt, signal) {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, 500 * 2 ** attempt * (0.5 + Math.random() / 2));
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
  if (signal.aborted) throw new DOMException("", "AbortError");
}

/**
 * One body.
 * @param {{method: string, url: string, headers: Record<string, string>}} to
 * @param {Blob} body @param {{signal: AbortSignal, onProgress: (loaded: number) => void}} options
 * @returns {Promise<{status: number, text: string}>} status 0: no answer
 */
export function send({ method, url, headers }, body, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => resolve({ status: 0, text: "" });
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    if (signal.aborted) return reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", abort, { once: true });
    request.send(body);
  });
}

/** A body to the portal. @throws {ApiError} */
export async function put(url, body, options) {
  const headers = { "X-CSRFToken": csrfToken(), "Content-Type": "application/octet-stream", Accept: "application/json" };
  const { status, text } = await send({ method: "PUT", url, headers }, body, options);
  if (status >= 200 && status < 300) return;
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy's page; the status says enough.
  }
  throw new ApiError(status, answer);
}

/**
 * Work on each number below `count`, so many at once. What fails keeps the rest from being begun, and is thrown when what
 * had begun is at its end.
 * @param {number} count @param {number} atOnce @param {(index: number) => Promise<void>} work
 */
export async function sideBySide(count, atOnce, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      try {
        await work(next++);
      } catch (error) {
        next = count;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const bad = ends.find(({ status }) => status === "rejected");
  if (bad) throw bad.reason;
}

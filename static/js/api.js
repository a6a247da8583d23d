/** Calls to the portal's own REST interface: session cookie, CSRF header, problem+json errors. */
import { gettext } from "./i18n.js";

/** An answer that is not a success, with the words and the code of its problem+json body. */
export class ApiError extends Error {
  /** @param {number} status 0: no answer at all @param {Record<string, any>} body */
  constructor(status, body) {
    super(body.detail || body.title || gettext("The portal did not answer."));
    this.name = "ApiError";
    this.status = status;
    this.code = body.code || "";
    this.hint = body.hint || "";
    /** @type {Record<string, string[]>} what is wrong with which input */
    this.errors = body.errors || {};
    this.params = body.params || {};
  }

  /** Trying again may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** @returns {string} */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.getAttribute("content") || "";
}

/**
 * One call. A plain object or array is sent as JSON, anything else (Blob, FormData) as it is.
 * @param {string} method @param {string} url
 * @param {{body?: any, signal?: AbortSignal, headers?: Record<string, string>}} [options]
 * @returns {Promise<any>} the JSON of the answer, or null where there is none
 * @throws {ApiError}
 */
export async function call(method, url, { body, signal, headers = {} } = {}) {
  const plain = body !== undefined && (Array.isArray(body) || Object.getPrototypeOf(body) === Object.prototype);
  let response;
  try {
    response = await fetch(url, {
      method,
      signal,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        ...(plain ? { "Content-Type": "application/json" } : {}),
        ...(/^(GET|HEAD)$/.test(method) ? {} : { "X-CSRFToken": csrfToken() }),
        ...headers,
      },
      body: plain ? JSON.stringify(body) : body,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, {});
  }
  const text = response.status === 204 ? "" : await response.text();
  let answer = null;
  if (text && /json/.test(response.headers.get("Content-Type") || "")) answer = JSON.parse(text);
  if (!response.ok) throw new ApiError(response.status, answer ?? {});
  return answer;
}

export const get = (url, options) => call("GET", url, options);
export const post = (url, body = {}, options = {}) => call("POST", url, { ...options, body });

/** Adds query values to an address. @param {string} url @param {Record<string, string|number>} values */
export function withQuery(url, values) {
  const whole = new URL(url, document.baseURI);
  for (const [name, value] of Object.entries(values)) whole.searchParams.set(name, String(value));
  return whole.pathname + whole.search;
}

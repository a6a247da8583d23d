/**
 * Passkeys and security keys. A form with `data-passkey` is sent once the browser has asked the person:
 *   create  makes a key by `data-options`        get  proves one by `data-options`
 *   login   fetches what to prove from the form's address
 * What the key says goes into the hidden field `credential`. `webauthnJSON` is allauth's own copy of the library.
 */
import { gettext } from "./i18n.js";
import { toast } from "./toasts.js";

async function credentialOf(form) {
  const { webauthnJSON } = window;
  if (form.dataset.passkey === "login") {
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    return webauthnJSON.get((await response.json()).request_options);
  }
  const options = JSON.parse(form.dataset.options);
  if (form.dataset.passkey === "get") return webauthnJSON.get(options);
  const alone = form.elements.namedItem("passwordless")?.checked ?? false;
  Object.assign(options.publicKey.authenticatorSelection, {
    residentKey: alone ? "required" : "discouraged",
    requireResidentKey: alone,
    ...(alone && { userVerification: "required" }),
  });
  return webauthnJSON.create(options);
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      form.elements.namedItem("credential").value = JSON.stringify(await credentialOf(form));
    } catch {
      // Refused, timed out, no key of this portal, no secure address: browsers tell them apart no further.
      toast(gettext("No key was used. Try again, or choose another way."), "error");
      return;
    }
    form.submit();
  });
}

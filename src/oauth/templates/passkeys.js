// Hands the challenge of a form to the browser, and sends the answer with the form (WebAuthn 2).
(() => {
  "use strict";
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const part = (name) => form.querySelector(name);
  if (!window.PublicKeyCredential || !navigator.credentials) {
    part("[data-unknown]").hidden = false;
    return;
  }
  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) => {
    const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  };
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const isNew = form.dataset.passkey === "create";

  const asked = () => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    if (!isNew) {
      options.allowCredentials = named(options.allowCredentials);
      return navigator.credentials.get({ publicKey: options });
    }
    options.user.id = bytes(options.user.id);
    options.excludeCredentials = named(options.excludeCredentials);
    return navigator.credentials.create({ publicKey: options });
  };

  const answer = (credential) => {
    const { response } = credential;
    const parts = isNew
      ? {
          attestationObject: text(response.attestationObject),
          transports: response.getTransports ? response.getTransports() : [],
        }
      : {
          authenticatorData: text(response.authenticatorData),
          signature: text(response.signature),
          userHandle: response.userHandle ? text(response.userHandle) : undefined,
        };
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: { clientDataJSON: text(response.clientDataJSON), ...parts },
      clientExtensionResults: {},
    });
  };

  const button = part("button");
  const run = async () => {
    part("[data-failed]").hidden = true;
    button.disabled = true;
    try {
      part("[name=credential]").value = answer(await asked());
      form.submit();
    } catch {
      part("[data-failed]").hidden = false;
      button.disabled = false;
      button.focus();
    }
  };
  button.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
})();

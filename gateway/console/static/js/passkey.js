// Passkeys: asks the browser's authenticator what the form says, puts its answer into the form and sends it.

const known = "PublicKeyCredential" in window;

function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function parsed(options) {
  const described = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const read = { ...options, challenge: bytes(options.challenge) };
  if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
  if (options.allowCredentials) read.allowCredentials = described(options.allowCredentials);
  if (options.excludeCredentials) read.excludeCredentials = described(options.excludeCredentials);
  return read;
}

function written(credential) {
  const response = {};
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  for (const name of names) if (credential.response[name]) response[name] = text(credential.response[name]);
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: text(credential.rawId), type, response, clientExtensionResults: {} });
}

async function ask(form) {
  const publicKey = parsed(JSON.parse(form.dataset.options));
  const creates = form.dataset.passkey === "create";
  return creates ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey });
}

async function answer(form, field) {
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  form.setAttribute("aria-busy", "true");
  try {
    field.value = written(await ask(form));
    form.submit();
  } catch {
    failed.hidden = false;
  } finally {
    form.removeAttribute("aria-busy");
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const field = form.elements[form.dataset.field];
  form.querySelector("[data-passkey-missing]").hidden = known;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer(form, field);
  });
  form.querySelector("button[type=submit]").disabled = !known;
}

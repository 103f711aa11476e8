// The only ways by which this page writes into the document. None of them
// takes markup: text becomes text nodes, attributes are named by our own code.

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

export function element(name, attributes = {}, text = null) {
  return build(document.createElement(name), attributes, text);
}

export function shape(name, attributes = {}, text = null) {
  return build(document.createElementNS(SVG, name), attributes, text);
}

function build(node, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}

// Writes only what changed: screen readers announce every write.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Replaces the children if the data they are made of changed.
export function fill(node, children, data) {
  if (node.filledWith === data) return false;
  node.filledWith = data;
  node.replaceChildren(...children);
  return true;
}

// Sends a reply to the client; gives the refusal's text, or null.
export async function post(path, reply) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(reply),
    });
    if (response.ok) return null;
    const text = (await response.text()).trim();
    return text || `the client refused (${response.status})`;
  } catch {
    return "the client does not answer; look at its terminal";
  }
}

// The tree, as a picture and as a sortable table that says the same.

import { byId, element, fill, setText, shape } from "/dom.js";
import { rate } from "/format.js";

const ROWS_MAX = 500; // a larger audience is counted, not listed
const PICTURED_MAX = 120; // beyond that a picture shows nothing
const LABEL_CHARS_MAX = 16; // "relay 01234567" fits
const COLUMN = 140;
const ROW = 74;
const BOX = { width: 126, height: 40 };

let sort = { key: null, down: false };
let rows = [];

export function showTree(tree) {
  const names = new Map(tree.map((node) => [node.id, node.name]));
  const known = (ids) => ids.map((id) => names.get(id)).filter((name) => name !== undefined);
  rows = tree.map((node) => ({ ...node, parentName: known(node.parents).join(", ") }));
  showTable();
  const pictured = tree.slice(0, PICTURED_MAX);
  const picture = byId("tree-picture");
  const laid = place(pictured);
  if (fill(picture, draw(laid), JSON.stringify(pictured))) {
    picture.setAttribute("viewBox", `0 0 ${laid.width} ${laid.height}`);
    picture.setAttribute("width", laid.width);
    picture.setAttribute("height", laid.height);
  }
}

// Gives each node its place: leaves side by side, parents above their middle.
// The reports may contain loops or lost parents: each node is placed once.
function place(tree) {
  const known = new Set(tree.map((node) => node.id));
  const children = new Map();
  const roots = [];
  for (const node of tree) {
    const parent = mainParent(node, known);
    if (parent === null) roots.push(node);
    else children.set(parent, [...(children.get(parent) ?? []), node]);
  }
  const placed = new Map();
  let column = 0;
  let depthMax = 0;
  const visit = (node, depth) => {
    if (placed.has(node.id)) return null;
    const spot = { node, x: 0, y: depth };
    placed.set(node.id, spot);
    depthMax = Math.max(depthMax, depth);
    const below = (children.get(node.id) ?? []).map((child) => visit(child, depth + 1));
    const xs = below.filter((child) => child !== null).map((child) => child.x);
    spot.x = xs.length === 0 ? column++ : (xs[0] + xs[xs.length - 1]) / 2;
    return spot;
  };
  for (const node of [...roots, ...tree]) visit(node, 0);
  const width = Math.max(1, column) * COLUMN;
  return { placed, width, height: (depthMax + 1) * ROW };
}

// With several trees a node hangs under whom it gets the first stripe from.
function mainParent(node, known) {
  return node.parents.find((id) => known.has(id) && id !== node.id) ?? null;
}

function draw({ placed }) {
  const edges = [];
  const boxes = [];
  for (const { node, x, y } of placed.values()) {
    const left = x * COLUMN + (COLUMN - BOX.width) / 2;
    const top = y * ROW + (ROW - BOX.height) / 2;
    const middle = left + BOX.width / 2;
    for (const id of node.parents) {
      const parent = placed.get(id);
      if (!parent || parent.y >= y) continue;
      const from = parent.x * COLUMN + COLUMN / 2;
      const start = parent.y * ROW + (ROW + BOX.height) / 2;
      const bend = (start + top) / 2;
      const d = `M${from} ${start}C${from} ${bend} ${middle} ${bend} ${middle} ${top}`;
      edges.push(shape("path", { d, class: "edge" }));
    }
    const group = shape("g", { class: `node ${node.kind}` });
    const box = { x: left, y: top, width: BOX.width, height: BOX.height, rx: 10 };
    group.append(
      shape("title", {}, node.name),
      shape("rect", box),
      shape("text", { x: middle, y: top + 17, class: "name" }, short(node.name)),
      shape("text", { x: middle, y: top + 31, class: "kind" }, under(node)),
    );
    boxes.push(group);
  }
  return [...edges, ...boxes];
}

function under(node) {
  const delay = node.delay_ms === null ? "" : ` · ${node.delay_ms} ms`;
  return `${node.kind}${delay}`;
}

function short(name) {
  const letters = [...name];
  return letters.length <= LABEL_CHARS_MAX ? name : `${letters.slice(0, LABEL_CHARS_MAX - 1).join("")}…`;
}

function showTable() {
  const sorted = sort.key === null ? rows : [...rows].sort(compare);
  const listed = sorted.slice(0, ROWS_MAX);
  const body = byId("tree-table").tBodies[0];
  const data = JSON.stringify([sort, listed]);
  if (body.filledWith !== data) fill(body, listed.map(line), data);
  const more = rows.length - listed.length;
  byId("tree-more").hidden = more === 0;
  setText(byId("tree-more"), `and ${more} more`);
}

function compare(a, b) {
  const [x, y] = [a[sort.key], b[sort.key]];
  // What was not measured stands last in either order.
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
  return sort.down ? -order : order;
}

function line(node) {
  const row = element("tr");
  const name = element("th", { scope: "row" });
  name.append(element("bdi", {}, node.name));
  row.append(name);
  const cells = [
    [node.verified === "reported" ? `${node.kind}, reported` : node.kind],
    [node.parentName],
    [`${node.children} of ${node.slots}`, "number"],
    [node.sponsor ?? ""],
    [node.delay_ms === null ? "" : `${node.delay_ms} ms`, "number"],
    [node.upload_bps === null ? "" : rate(node.upload_bps), "number"],
  ];
  for (const [text, kind] of cells) {
    const cell = element("td", kind ? { class: kind } : {});
    cell.append(element("bdi", {}, text));
    row.append(cell);
  }
  return row;
}

for (const head of byId("tree-table").tHead.rows[0].cells) {
  head.firstElementChild.addEventListener("click", () => {
    const key = head.dataset.key;
    sort = { key, down: sort.key === key && !sort.down };
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    showTable();
  });
}

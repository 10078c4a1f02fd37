import { KINDS, colourOf } from "./colours.js";
import { count, draw, make, several } from "./dom.js";
import { layout } from "./layout.js";
import { shapeOf } from "./nodes.js";
import { brief, readable } from "./visible.js";

const STEP_X = { wide: 96, narrow: 62 };
const ROW_Y = 24;
const MARGIN = 26;
const LABEL = 34;
const LABEL_X = 14;

/** What a node's colour may show. */
export const MEASURES = {
  value: { word: "value", of: (node) => node.value },
  q: { word: "Q", of: (node) => node.q },
  estimate: { word: "estimate", of: (node) => node.estimate },
  prior: { word: "prior (0 is neutral)", of: (node) => node.prior },
};

/**
 * A drawing of a tree.
 *
 * @param view what is drawn: tree, children (of every node), chosen (the nodes of the solution's path), isRight (of an
 *   index), folded, measure, width (`wide`, or `narrow` where two trees stand side by side).
 * @param on `pick` and `fold`, called with the index of a node.
 * @returns {svg, groups: Map index -> element, places, width, height: in pixels at scale 1}
 */
export function drawTree(view, on) {
  const { nodes } = view.tree;
  const { places, rows } = layout(nodes, view.folded);
  const spots = new Map([...places].map(([i, { depth: column, row }]) => [i, spotOf(column, row, view.width)]));
  const height = (rows - 1) * ROW_Y + 2 * MARGIN;
  const edges = [...spots.keys()].filter((i) => nodes[i].parent >= 0);
  edges.sort((i, k) => view.chosen.has(i) - view.chosen.has(k)); // the chosen path is drawn over the others
  const groups = new Map([...spots].map(([i, spot]) => [i, drawNode(view, i, spot, on)]));
  const labelled = [...groups].map(([i, group]) => spots.get(i).x + LABEL_X + labelWidth(group));
  const width = labelled.reduce((most, end) => Math.max(most, end), 0) + MARGIN;
  const svg = draw(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "tree", "aria-label": "search tree" },
    draw("g", {}, edges.map((i) => drawEdge(view, i, spots))),
    draw("g", {}, [...groups.values()]),
  );
  return { svg, groups, places, width, height };
}

const spotOf = (column, row, width) => ({ x: MARGIN + column * STEP_X[width], y: MARGIN + row * ROW_Y });

function drawEdge(view, i, spots) {
  const { nodes } = view.tree;
  const [from, to] = [spots.get(nodes[i].parent), spots.get(i)];
  const middle = (from.x + to.x) / 2;
  const path = draw("path", {
    class: view.chosen.has(i) ? "edge chosen" : "edge",
    d: `M${from.x},${from.y}C${middle},${from.y} ${middle},${to.y} ${to.x},${to.y}`,
  });
  path.style.strokeWidth = edgeWidth(nodes[i].n, nodes[0].n);
  return path;
}

/** Visits as width; of a tree without visits all edges are alike. */
function edgeWidth(visits, all) {
  return visits === undefined ? 1.6 : 0.8 + 9 * Math.sqrt(visits / Math.max(1, all));
}

function drawNode(view, i, spot, on) {
  const node = view.tree.nodes[i];
  const kind = i === 0 ? "root" : node.kind;
  const right = node.answer === undefined ? undefined : view.isRight(i);
  const shape = shapeOf(kind);
  shape.style.fill = colourOf(MEASURES[view.measure].of(node));
  const classes = ["node", kind, view.chosen.has(i) && "chosen", node.status && node.status !== "ok" && "failed"];
  const about = `${node.tag}: ${KINDS[kind]}, value ${count(node.value)}`;
  return draw(
    "g",
    {
      class: classes.filter(Boolean).join(" "),
      transform: `translate(${spot.x},${spot.y})`,
      role: "treeitem",
      "aria-label": about,
      onclick: () => on.pick(i),
      ondblclick: () => on.fold(i),
    },
    draw("title", {}, about),
    shape,
    right === undefined ? null : draw("text", { class: "mark", y: 4 }, right ? "✓" : "✗"),
    labels(view, i),
  );
}

/** What stands beside a node without children in sight: its rank among the solutions, its answer or how it ended. */
function labels(view, i) {
  const node = view.tree.nodes[i];
  const label = (kind, x, text) => draw("text", { class: kind, x, y: 4 }, text);
  if (view.folded.has(i)) return label("label", LABEL_X, `+ ${several(numberBelow(view.children, i), "node")}`);
  if (view.children[i].length) return null;
  const rank = (view.tree.solutions ?? []).indexOf(i);
  const text = readable(brief(node.answer ?? ending(node), LABEL)).replace(/\s+/g, " ");
  const kind = node.answer === undefined ? "label" : "label answer";
  if (rank < 0) return label(kind, LABEL_X, text);
  return draw("text", { x: LABEL_X, y: 4 }, draw("tspan", { class: "rank" }, `№${rank + 1}`), draw("tspan", { class: kind, dx: 6 }, text));
}

/** About how wide what stands beside a node is, in pixels: it can't be measured before it is shown. */
function labelWidth(group) {
  const text = group.querySelector("text:not(.mark)")?.textContent ?? "";
  return [...text].reduce((width, character) => width + (character > "\u2e7f" ? 13 : 7.5), 0);
}

const ending = (node) => (node.kind && node.kind !== "continue" ? KINDS[node.kind] : "");

function numberBelow(children, i) {
  let number = 0;
  for (const stack = [...children[i]]; stack.length; number++) stack.push(...children[stack.pop()]);
  return number;
}

/** What the shapes of the nodes of some trees mean. */
export function legend(trees) {
  const there = new Set(trees.flatMap((tree) => tree.nodes.map((node) => node.kind)));
  const shown = Object.entries(KINDS).filter(([kind]) => there.has(kind));
  return shown.map(([kind, word]) =>
    make("span", {}, draw("svg", { width: 20, height: 18, viewBox: "-12 -10 24 20" }, shapeOf(kind)), word),
  );
}

import { make } from "./dom.js";
import { MEASURES, drawTree } from "./drawing.js";
import { childrenOf, foldedAtFirst, pathTo } from "./layout.js";
import { rightness } from "./nodes.js";

const MOST_NODES = 1500;

/** Measures that a tree has. */
export const measuresOf = (tree) =>
  Object.keys(MEASURES).filter((key) => tree.nodes.some((node) => MEASURES[key].of(node) !== undefined));

/**
 * A tree that can be walked.
 *
 * @param tree as the store gives it.
 * @param state of its question.
 * @param width see `drawTree`.
 * @param onPick called with the index of a node that was clicked.
 * @returns {element, at(), choose(i), fold(i), colour(measure), step(direction), zoom(factor)}
 */
export function makeTree(tree, state, width, onPick) {
  const view = viewOf(tree, state, width);
  const element = make("div", { class: "drawing", tabindex: -1 });
  let drawn;

  function render() {
    drawn = drawTree(view, { pick: onPick, fold });
    element.replaceChildren(drawn.svg);
    resize();
  }

  function resize() {
    drawn.svg.setAttribute("width", drawn.width * view.scale);
    drawn.svg.setAttribute("height", drawn.height * view.scale);
    mark();
  }

  function mark() {
    drawn.svg.querySelector(".at")?.classList.remove("at");
    const group = drawn.groups.get(view.at);
    group?.classList.add("at");
    if (group) reveal(element, group);
  }

  /** Marks a node, and unfolds what hides it. */
  function choose(i) {
    view.at = i;
    const hiding = pathTo(tree.nodes, i).slice(0, -1).filter((k) => view.folded.delete(k));
    if (hiding.length) render();
    else mark();
  }

  function fold(i) {
    if (!view.children[i].length) return;
    if (!view.folded.delete(i)) view.folded.add(i);
    render();
  }

  function colour(measure) {
    view.measure = measure;
    render();
  }

  function zoom(factor) {
    view.scale = Math.min(3, Math.max(0.2, view.scale * factor));
    resize();
  }

  render();
  return { element, at: () => view.at, choose, fold, colour, step: (direction) => step(view, drawn.places, direction), zoom };
}

/** Scrolls a part of an element into sight, without moving the page. */
function reveal(element, part) {
  const [frame, box] = [element.getBoundingClientRect(), part.getBoundingClientRect()];
  const outside = (low, high, from, to) => (low < from ? low - from : Math.max(0, high - to));
  element.scrollBy(outside(box.left, box.right, frame.left, frame.right), outside(box.top, box.bottom, frame.top, frame.bottom));
}

/** What there is to draw of a tree, see `drawTree`; beside it the node that is marked, and the scale. */
function viewOf(tree, state, width) {
  return {
    tree,
    width,
    children: childrenOf(tree.nodes),
    chosen: new Set((tree.solutions ?? []).slice(0, 1).flatMap((i) => pathTo(tree.nodes, i))),
    isRight: rightness(tree, state),
    folded: foldedAtFirst(tree, MOST_NODES),
    measure: "value",
    at: 0,
    scale: 1,
  };
}

/** The node that an arrow leads to: parent, child (on the chosen path where there is one), the one above or below. */
function step({ tree, children, chosen, at }, places, direction) {
  if (direction === "left") return Math.max(0, tree.nodes[at].parent);
  if (direction === "right") return children[at].find((i) => chosen.has(i)) ?? children[at][0] ?? at;
  const column = [...places.keys()].filter((i) => places.get(i).depth === places.get(at).depth);
  column.sort((i, k) => places.get(i).row - places.get(k).row);
  const next = column.indexOf(at) + (direction === "down" ? 1 : -1);
  return column[Math.min(column.length - 1, Math.max(0, next))];
}

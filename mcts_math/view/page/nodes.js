import { draw } from "./dom.js";

const R = 7;

/** The shape of a node, by what its step led to: they are told apart without their colours. */
export function shapeOf(kind) {
  const polygon = (points) => draw("polygon", { class: "shape", points });
  switch (kind) {
    case "answer":
      return draw("rect", { class: "shape", x: -R, y: -R, width: 2 * R, height: 2 * R, rx: 2 });
    case "reply":
      return draw("rect", { class: "shape", x: -R - 3, y: -R + 1, width: 2 * R + 6, height: 2 * R - 2, rx: 6 });
    case "user":
      return polygon(`0,${-R - 2} ${R + 2},0 0,${R + 2} ${-R - 2},0`);
    case "unparsable":
      return polygon(`0,${-R - 1} ${R + 1},${R - 1} ${-R - 1},${R - 1}`);
    case "too_deep":
      return polygon(`0,${R + 1} ${R + 1},${-R + 1} ${-R - 1},${-R + 1}`);
    case "too_many_errors":
      return polygon(cross(R + 1, 3));
    default:
      return draw("circle", { class: "shape", r: kind === "root" ? R + 2 : R });
  }
}

function cross(reach, half) {
  const corner = [[half, 0], [reach, reach - half], [reach - half, reach], [0, half]];
  const turned = [...corner, ...corner.map(([x, y]) => [-y, x]), ...corner.map(([x, y]) => [-x, -y]), ...corner.map(([x, y]) => [y, -x])];
  return turned.map((point) => point.join(",")).join(" ");
}

/** Whether the answer of a node is right: as judged, or as that of an equal answer that was. Undefined: not known. */
export function rightness(tree, state) {
  const known = new Map();
  const chosen = tree.nodes[tree.solutions?.[0]]?.answer;
  if (chosen && (state === "right" || state === "wrong")) known.set(chosen, state === "right");
  for (const gold of tree.golds ?? []) known.set(gold, true);
  for (const node of tree.nodes) if (node.answer && node.correct !== undefined) known.set(node.answer, node.correct);
  const judged = new Map();
  for (const attempt of tree.attempts ?? []) {
    if (attempt.verdict === "correct" || attempt.verdict === "incorrect") judged.set(attempt.node, attempt.verdict === "correct");
  }
  return (i) => judged.get(i) ?? known.get(tree.nodes[i].answer);
}

/** What the upper confidence bound of a node is when the search has ended; undefined at the root, or without visits. */
export function puct(nodes, i, weight) {
  const { parent, q, n, prior } = nodes[i];
  if (parent < 0 || q === undefined) return undefined;
  return q + (weight * prior * Math.sqrt(nodes[parent].n)) / (1 + n);
}

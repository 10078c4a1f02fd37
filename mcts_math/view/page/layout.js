/**
 * Where the nodes of a tree stand: depth from left to right, leaves one below the other, a parent amid its children.
 *
 * @param nodes parents before children; `parent` is an index, -1 at the root.
 * @param folded indices of nodes whose children are not shown.
 * @returns {places: Map index -> {depth, row}, rows}
 */
export function layout(nodes, folded) {
  const children = childrenOf(nodes);
  const order = [];
  const stack = [0];
  const places = new Map();
  let rows = 0;
  while (stack.length) {
    const i = stack.pop();
    const parent = places.get(nodes[i].parent);
    const below = folded.has(i) ? [] : children[i];
    places.set(i, { depth: parent ? parent.depth + 1 : 0, row: below.length ? 0 : rows++ });
    order.push(i);
    for (let k = below.length - 1; k >= 0; k--) stack.push(below[k]);
  }
  for (const i of order.reverse()) {
    const below = folded.has(i) ? [] : children[i];
    if (below.length) places.get(i).row = (places.get(below[0]).row + places.get(below.at(-1)).row) / 2;
  }
  return { places, rows };
}

/** For every node the indices of its children, in sampling order. */
export function childrenOf(nodes) {
  const children = nodes.map(() => []);
  nodes.forEach((node, i) => node.parent >= 0 && children[node.parent].push(i));
  return children;
}

/** Indices from the root down to a node. */
export function pathTo(nodes, i) {
  const path = [];
  for (; i >= 0; i = nodes[i].parent) path.push(i);
  return path.reverse();
}

/** What to fold at first in a tree of more nodes than can be taken in: all below a depth, but for the chosen path. */
export function foldedAtFirst(tree, most) {
  const { nodes, solutions = [] } = tree;
  if (nodes.length <= most) return new Set();
  const depths = [];
  nodes.forEach((node, i) => (depths[i] = node.parent < 0 ? 0 : depths[node.parent] + 1));
  const atDepth = [];
  depths.forEach((depth) => (atDepth[depth] = (atDepth[depth] ?? 0) + 1));
  let shown = 0;
  let deepest = 0;
  while (deepest < atDepth.length && shown + atDepth[deepest] <= most) shown += atDepth[deepest++];
  const open = new Set(solutions.slice(0, 1).flatMap((i) => pathTo(nodes, i)));
  const children = childrenOf(nodes);
  return new Set([...nodes.keys()].filter((i) => depths[i] >= deepest - 1 && children[i].length && !open.has(i)));
}

import { make } from "./dom.js";
import { pathTo } from "./layout.js";
import { textOf } from "./panel.js";
import { plain } from "./text.js";

/**
 * The conversation of a path as the model saw it: what stood before its first step, then every step.
 *
 * @param examples instructions and worked examples of the run; "" where they are not known.
 */
export function conversation(tree, i, examples) {
  const path = pathTo(tree.nodes, i).slice(1);
  return make(
    "article",
    { class: "conversation" },
    make("h2", {}, `As the model saw it, up to node ${tree.nodes[i].tag}`),
    tree.has_examples ? before(examples) : null,
    tree.opening.map(([role, text]) => turn(role, text)),
    path.map((k) => {
      const node = tree.nodes[k];
      const turns = node.turns ?? [["assistant", textOf(node) + (tree.delimiter ?? "")]];
      return turns.map(([role, text]) => turn(role, text, node.tag));
    }),
  );
}

function before(examples) {
  if (examples) return make("details", {}, make("summary", {}, "instructions and worked examples"), turn("user", examples));
  const why = "Instructions and worked examples stood before this. They are not in the results, and not to be found.";
  return make("p", { class: "none" }, why);
}

const turn = (role, text, tag = "") =>
  make("section", { class: `turn ${role}` }, make("h3", {}, `${role} ${tag}`), plain(text));

import { KINDS } from "./colours.js";
import { count, make } from "./dom.js";
import { answer } from "./formulas.js";
import { childrenOf } from "./layout.js";
import { puct } from "./nodes.js";
import { code, plain, rich } from "./text.js";
import { readable } from "./visible.js";

const SECTIONS = {
  thinking: { word: "Thinking", show: rich },
  thought: { word: "Thought", show: rich },
  code: { word: "Code", show: code },
  observation: { word: "Observation", show: plain },
  answer: { word: "Final answer", show: rich },
  user: { word: "The user", show: rich },
};
const STATUSES = { ok: "ran", error: "failed", timeout: "cut by a time limit", killed: "killed" };

/** All that is known of one node. `weight`: of exploration; `onPick` is called with a child that was clicked. */
export function nodePanel(tree, i, weight, onPick) {
  const node = tree.nodes[i];
  return make(
    "article",
    { class: "node-panel" },
    make("h2", {}, `Node ${node.tag} `, make("span", { class: "kind" }, kindOf(node))),
    facts(tree, i, weight),
    i === 0 ? section("Question", rich(tree.question ?? "")) : sections(node),
    i === 0 ? null : make("details", {}, make("summary", {}, "Text as it was written"), plain(textOf(node))),
    childTable(tree, i, weight, onPick),
  );
}

/** The text of a step, to the letter. */
export const textOf = (node) => (node.parts ?? []).map(([, text]) => text).join("");

function kindOf(node) {
  const words = [KINDS[node.kind ?? "root"]];
  if (node.status) words.push(`code ${STATUSES[node.status]}`);
  if (node.terminal && (node.kind === "continue" || !node.kind)) words.push("used up");
  return words.join(", ");
}

function facts(tree, i, weight) {
  const node = tree.nodes[i];
  const rows = [
    ["value", node.value],
    ["estimate", node.estimate],
    ["Q", node.q],
    ["visits N", node.n],
    ["prior", node.prior],
    [`PUCT (c = ${count(weight)})`, puct(tree.nodes, i, weight)],
    ["tokens", node.tokens],
    ["log-probability", node.logprob],
  ].filter(([, value]) => value !== undefined);
  const listed = rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, count(value, 4))));
  if (node.answer !== undefined) listed.push(make("div", {}, make("dt", {}, "answer"), make("dd", {}, answer(node.answer))));
  return make("dl", { class: "facts" }, listed);
}

const section = (title, content, kind = "") =>
  make("section", { class: `part ${kind}` }, make("h3", {}, title), content);

/** The parts of a step; those of one kind that follow each other with the format's own words between are one section. */
function sections(node) {
  const shown = node.thinking ? [{ kind: "thinking", text: node.thinking.trim() }] : [];
  for (const [kind, text] of node.parts ?? []) {
    if (kind === "mark" || !text.trim()) continue;
    const last = shown.at(-1);
    if (last?.kind === kind) last.text += `\n${text.trim()}`;
    else shown.push({ kind, text: text.trim() });
  }
  if (!shown.length) return make("p", { class: "none" }, "Nothing that the format knows was written here.");
  return shown.map(({ kind, text }) => section(SECTIONS[kind].word, SECTIONS[kind].show(text), kind));
}

/** What the search had to choose from below a node. */
function childTable(tree, i, weight, onPick) {
  const children = childrenOf(tree.nodes)[i];
  if (!children.length) return null;
  const columns = tree.backs_up ? ["value", "Q", "N", "prior", "PUCT"] : ["value", "tokens"];
  const numbers = (k) => {
    const node = tree.nodes[k];
    return tree.backs_up
      ? [node.value, node.q, node.n, node.prior, puct(tree.nodes, k, weight)]
      : [node.value, node.tokens];
  };
  const row = (k) =>
    make(
      "tr",
      { onclick: () => onPick(k), class: "child" },
      make("th", { scope: "row" }, tree.nodes[k].tag),
      numbers(k).map((value) => make("td", {}, count(value))),
      make("td", { class: "word" }, readable((tree.nodes[k].answer ?? KINDS[tree.nodes[k].kind]).slice(0, 24))),
    );
  const head = make("tr", {}, ["child", ...columns, "led to"].map((word) => make("th", { scope: "col" }, word)));
  return section("Children", make("table", { class: "children" }, make("thead", {}, head), make("tbody", {}, children.map(row))));
}

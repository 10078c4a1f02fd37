import { STATES } from "./colours.js";
import { count, duration, make, several } from "./dom.js";
import { answer } from "./formulas.js";
import { rich } from "./text.js";
import { brief, readable, visible } from "./visible.js";

/** The head of an opened question: its text, its accepted answers, its kinds. */
export function questionHead(row, tree) {
  const chips = Object.entries(row.known.groups ?? {}).map(([key, value]) => make("span", { class: "chip" }, `${key}: ${readable(value)}`));
  return make(
    "div",
    { class: "question-head" },
    make("h2", {}, visible(row.id.slice(0, 200)), chips),
    rich(tree.question ?? ""),
    tree.golds?.length ? make("p", { class: "golds" }, "accepted: ", tree.golds.flatMap((gold, i) => [i ? " or " : "", answer(gold)])) : null,
  );
}

/** The head of a tree: how it ended and what it cost. */
export function treeHead(name, entry, tree) {
  const { sign, word } = STATES[entry.state];
  const cost = tree.costs ?? {};
  const costs = [
    several(entry.nodes, "node"),
    several(entry.tokens, "token"),
    cost.seconds === undefined ? null : duration(cost.seconds),
    cost.cells ? several(cost.cells, "cell") : null,
  ];
  return make(
    "div",
    { class: "tree-head" },
    name ? make("b", { class: "file" }, name) : null,
    make("span", { class: `state ${entry.state}` }, `${sign} ${word}`),
    entry.answer ? make("span", {}, "answer ", answer(entry.answer)) : entry.is_code ? null : make("span", {}, "no answer"),
    entry.stopped ? make("span", { class: "stopped" }, `stopped: ${entry.stopped}`) : null,
    entry.oracle ? make("span", { class: "chip", title: "the ground truth took part in the search, or chose the answer" }, "oracle") : null,
    tree.chosen_here ? make("span", { class: "chip", title: "the file names no solution" }, "solution chosen here") : null,
    make("span", { class: "costs" }, costs.filter(Boolean).join(" · ")),
    tree.error ? make("p", { class: "error" }, visible(tree.error.slice(0, 2000))) : null,
    attempts(tree),
  );
}

function attempts(tree) {
  if (!tree.attempts) return null;
  const row = (attempt, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${i + 1}`),
      make("td", {}, (attempt.verdict ?? "–").replace("_", " ")),
      make("td", {}, attempt.answer === undefined ? "–" : answer(brief(attempt.answer, 60))),
      make("td", {}, count(attempt.tokens)),
      make("td", {}, attempt.loss === undefined ? "" : `loss ${count(attempt.loss)}`),
      make("td", {}, visible(brief(attempt.note ?? "", 200))),
    );
  return make(
    "details",
    { class: "attempts" },
    make("summary", {}, several(tree.attempts.length, "attempt")),
    make("table", {}, make("tbody", {}, tree.attempts.map(row))),
  );
}

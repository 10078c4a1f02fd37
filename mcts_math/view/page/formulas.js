import { make } from "./dom.js";
import { visible } from "./visible.js";

const FORMULA = new RegExp(
  [
    String.raw`\$\$([^$]{1,2000})\$\$`,
    String.raw`\\\[([\s\S]{1,2000}?)\\\]`,
    String.raw`\\\(([\s\S]{1,2000}?)\\\)`,
    String.raw`\$(?![\s$])([^$\n]{0,500}?[^$\s\\])\$(?!\d)`,
  ].join("|"),
  "g",
);
/** More formulas than a person reads are left as text. */
const MOST = 200;
const OPTIONS = { throwOnError: true, strict: "ignore", trust: refuse, maxExpand: 200, maxSize: 20 };

/** Links, pictures and attributes in a formula: it is left as text. */
function refuse() {
  throw new Error("not in a page that shows what a model wrote");
}

/** A text with its formulas set, as nodes; one that can't be read stays as it is written. */
export function withFormulas(text) {
  const nodes = [];
  let at = 0;
  let number = 0;
  for (const match of text.matchAll(FORMULA)) {
    if (++number > MOST) break;
    const set = formula(match[1] ?? match[2] ?? match[3] ?? match[4], match[1] ?? match[2]);
    if (!set) continue;
    nodes.push(...visible(text.slice(at, match.index)), set);
    at = match.index + match[0].length;
  }
  return [...nodes, ...visible(text.slice(at))];
}

/** An answer: a formula where it is written as one. */
export function answer(text) {
  const set = text.length <= 500 && /[\\^_]/.test(text) ? formula(text, false) : null;
  return make("span", { class: "answer", title: text.slice(0, 500) }, set ?? visible(text.slice(0, 500)));
}

function formula(source, isDisplayed) {
  const element = make("span", { class: "formula" });
  try {
    katex.render(source, element, { ...OPTIONS, displayMode: Boolean(isDisplayed) });
  } catch {
    return null; // no formula that KaTeX knows: the caller shows it as text
  }
  return element;
}

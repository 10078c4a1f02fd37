import { make } from "./dom.js";
import { withFormulas } from "./formulas.js";
import { highlighted } from "./highlight.js";
import { visible } from "./visible.js";

/** Longer texts are shown in part, with a button for the rest. */
const SHOWN = 20000;
const FENCE = /^```(\w*)\n([\s\S]*?)(?:\n```[ \t]*$|(?![\s\S]))/gm;

/** A text as it is. */
export const plain = (text) => inParts(text, "plain", visible);

/** A text with its formulas and its blocks of code. */
export const rich = (text) => inParts(text, "rich", proseAndCode);

/** Python, with a fence around it or not. */
export function code(text) {
  const bare = text.trim().replace(/^```\w*\n/, "").replace(/\n```$/, "");
  return inParts(bare, "code", highlighted, "pre");
}

/** What a person may look at without a wait, and a button that shows the rest, as it is. */
function inParts(text, kind, show, tag = "div") {
  const element = make(tag, { class: `written ${kind}` }, show(text.slice(0, SHOWN)));
  if (text.length > SHOWN) {
    const rest = text.length - SHOWN;
    const button = make("button", { class: "rest" }, `show the other ${rest.toLocaleString("en")} characters`);
    button.addEventListener("click", () => button.replaceWith(...visible(text.slice(SHOWN))));
    element.append(button);
  }
  return element;
}

function proseAndCode(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(FENCE)) {
    nodes.push(...withFormulas(text.slice(at, match.index)), code(match[2]));
    at = match.index + match[0].length;
  }
  return [...nodes, ...withFormulas(text.slice(at))];
}

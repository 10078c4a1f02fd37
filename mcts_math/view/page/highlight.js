import { make } from "./dom.js";
import { visible } from "./visible.js";

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)` +
      String.raw`|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))`,
    String.raw`(?<number>\b\d[\w.]*)`,
    String.raw`(?<word>\b[A-Za-z_]\w*)`,
  ].join("|"),
  "g",
);
const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda match nonlocal not or pass raise return try while with yield").split(" "),
);
const BUILTINS = new Set(
  ("abs all any bin bool dict divmod enumerate eval exec filter float format frozenset hex input int isinstance len " +
    "list map max min next open ord chr pow print range repr reversed round set sorted str sum tuple type zip").split(" "),
);

/** Python with its words, strings, numbers and comments told apart, as nodes. */
export function highlighted(code) {
  const nodes = [];
  let at = 0;
  for (const match of code.matchAll(TOKEN)) {
    const kind = kindOf(match.groups);
    if (!kind) continue;
    nodes.push(...visible(code.slice(at, match.index)), make("span", { class: kind }, visible(match[0])));
    at = match.index + match[0].length;
  }
  return [...nodes, ...visible(code.slice(at))];
}

function kindOf({ comment, string, number, word }) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  if (KEYWORDS.has(word)) return "keyword";
  return BUILTINS.has(word) ? "builtin" : null;
}

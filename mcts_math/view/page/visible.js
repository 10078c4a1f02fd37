import { make } from "./dom.js";

/**
 * Characters that would be invisible, or would move the others: controls, marks of direction, of no width.
 * A joiner between emojis or letters that need one (Persian, Hindi) is none: it shapes them.
 */
const JOINS = "\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f" +
  ["Arabic", "Syriac", "Devanagari", "Bengali", "Gujarati", "Kannada", "Malayalam", "Sinhala", "Tamil", "Telugu", "Khmer"]
    .map((script) => `\\p{Script=${script}}`).join("");
const HIDDEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]" +
    `|(?<![${JOINS}])[\\u200c\\u200d]|[\\u200c\\u200d](?![${JOINS}])`,
  "gu",
);

/** A text with its hidden characters in sight, as nodes. */
export function visible(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > at) nodes.push(text.slice(at, match.index));
    nodes.push(make("span", { class: "hidden-character" }, symbolOf(match[0])));
    at = match.index + 1;
  }
  nodes.push(text.slice(at));
  return nodes;
}

/** The same as one text, for where no node can stand. */
export const readable = (text) => text.replace(HIDDEN, symbolOf);

/** The first characters of a text, and a sign where it goes on. */
export const brief = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function symbolOf(character) {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

/** The colour of a value in [-1, 1]: orange, neutral, blue, which all kinds of sight tell apart. None: hollow. */
export function colourOf(value) {
  if (value === null || value === undefined) return "var(--unscored)";
  const share = Math.round(100 * Math.min(1, Math.abs(value)));
  return `color-mix(in oklab, var(${value < 0 ? "--low" : "--high"}) ${share}%, var(--mid))`;
}

/** What a question's state is shown by: a sign and a word, never a colour alone. */
export const STATES = {
  right: { sign: "✓", word: "right" },
  wrong: { sign: "✗", word: "wrong" },
  unjudged: { sign: "?", word: "not judged" },
  error: { sign: "!", word: "broke down" },
};

/** What a node's step led to. */
export const KINDS = {
  root: "question",
  continue: "goes on",
  answer: "final answer",
  unparsable: "can't be read",
  too_many_errors: "too many errors",
  too_deep: "too deep",
  reply: "whole reply",
  user: "said by the user",
};

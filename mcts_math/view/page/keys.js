import { make } from "./dom.js";

const HELP = [
  ["j, k", "next and previous question"],
  ["← →", "parent and child, along the chosen path"],
  ["↑ ↓", "the node above and below"],
  ["s", "the chosen solution"],
  ["Enter", "fold or unfold below a node"],
  ["c", "conversation, or the step"],
  ["x", "the other file's tree"],
  ["+ −", "larger and smaller"],
  ["/", "search"],
  ["t", "light or dark"],
  ["Esc", "leave a field, close this"],
  ["?", "these keys"],
];

/** Lets the keyboard do what `actions` can; a key in a field writes. */
export function listen(actions) {
  const table = {
    j: actions.next,
    k: actions.previous,
    ArrowLeft: () => actions.step("left"),
    ArrowRight: () => actions.step("right"),
    ArrowUp: () => actions.step("up"),
    ArrowDown: () => actions.step("down"),
    s: actions.solution,
    Enter: actions.fold,
    c: actions.conversation,
    x: actions.swap,
    "+": () => actions.zoom(1.2),
    "-": () => actions.zoom(1 / 1.2),
    "/": actions.search,
    t: actions.theme,
    "?": actions.help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return document.activeElement?.blur();
    const own = event.key === "Enter" ? "input, select, button, summary" : "input, select";
    if (event.target.closest?.(own) || !table[event.key]) return;
    event.preventDefault();
    table[event.key]();
  });
}

/** The keys, in a table. */
export const help = () =>
  make("table", {}, make("tbody", {}, HELP.map(([keys, what]) => make("tr", {}, make("th", {}, keys), make("td", {}, what)))));

import { STATES } from "./colours.js";
import { count, make, several } from "./dom.js";
import { readable, visible } from "./visible.js";

const ROW_PX = 62;
const MORE_ROWS = 6;
const SNIPPET = 140;

/** A list of any length, of which only the rows in sight are there. */
export function makeList(container, onPick) {
  const space = make("div", { class: "space" });
  container.replaceChildren(space);
  const state = { rows: [], at: -1 };

  function render() {
    const first = Math.max(0, Math.floor(container.scrollTop / ROW_PX) - MORE_ROWS);
    const end = Math.min(state.rows.length, first + Math.ceil(container.clientHeight / ROW_PX) + 2 * MORE_ROWS);
    const shown = [];
    for (let i = first; i < end; i++) shown.push(item(state.rows[i], i));
    space.replaceChildren(...shown);
  }

  function item(row, i) {
    const chosen = i === state.at;
    const element = make(
      "div",
      { class: "row", role: "option", id: `row-${i}`, "aria-selected": String(chosen), onclick: () => onPick(i) },
      make("div", { class: "signs" }, row.entries.map(sign)),
      make(
        "div",
        { class: "about" },
        make("div", { class: "title" }, make("b", {}, visible(row.id.slice(0, SNIPPET))), kinds(row)),
        make("div", { class: "snippet" }, visible(row.question.slice(0, SNIPPET))),
        make("div", { class: "numbers" }, numbers(row)),
      ),
    );
    element.style.top = `${i * ROW_PX}px`;
    return element;
  }

  container.addEventListener("scroll", render, { passive: true });
  new ResizeObserver(render).observe(container);
  return {
    show(rows, at) {
      Object.assign(state, { rows, at });
      space.style.height = `${rows.length * ROW_PX}px`;
      render();
    },
    choose(at) {
      state.at = at;
      const top = Math.max(0, at) * ROW_PX;
      if (top < container.scrollTop) container.scrollTop = top;
      const bottom = top + ROW_PX - container.clientHeight;
      if (bottom > container.scrollTop) container.scrollTop = bottom;
      container.setAttribute("aria-activedescendant", `row-${at}`);
      render();
    },
  };
}

/** The sign of an entry's state; a dash where the file has no such question. */
export function sign(entry) {
  if (!entry) return make("span", { class: "sign none", title: "not in this file" }, "–");
  const { sign: mark, word } = STATES[entry.state];
  const title = entry.stopped ? `${word}, stopped: ${entry.stopped}` : word;
  return make("span", { class: `sign ${entry.state}${entry.stopped ? " stopped" : ""}`, title }, mark);
}

const kinds = (row) =>
  Object.entries(row.known.groups ?? {}).map(([key, value]) =>
    make("span", { class: key === "level" ? "chip level" : "chip", title: key }, key === "level" ? `level ${value.replace(/^level\s*/i, "")}` : readable(value)),
  );

function numbers(row) {
  const { value, tokens, nodes, answer } = row.known;
  const parts = [several(tokens, "token"), several(nodes, "node")];
  if (Number.isFinite(value)) parts.unshift(`value ${count(value)}`);
  return [parts.join(" · "), answer ? make("span", { class: "answer" }, ` · answer ${readable(answer.slice(0, 40))}`) : null];
}

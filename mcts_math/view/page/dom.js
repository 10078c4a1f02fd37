/** An element. Children are nodes or texts; a text is never read as markup. `on…` attributes are listeners. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for drawings. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A number for people: thousands with commas, small ones with three digits; a dash where there is none. */
export function count(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toPrecision(digits).replace("-", "−");
}

/** A number of things: `1 node`, `2 nodes`. */
export const several = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A share in [0, 1], with as many digits as the terminal shows of an accuracy. */
export const percent = (share, digits = 2) =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}%`;

/** Seconds as hours, minutes and seconds. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
}

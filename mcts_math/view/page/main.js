import { rowsOf } from "./compare.js";
import { conversation } from "./conversation.js";
import { openStore } from "./data.js";
import { byId, make } from "./dom.js";
import { MEASURES, legend } from "./drawing.js";
import { ENDINGS, ORDERS, kindsOf, pick } from "./filter.js";
import { help, listen } from "./keys.js";
import { makeList } from "./list.js";
import { nodePanel } from "./panel.js";
import { questionHead, treeHead } from "./question.js";
import { summary } from "./summary.js";
import { makeTree, measuresOf } from "./tree.js";
import { readable } from "./visible.js";

const MOST_OF_ADDRESS = 500;
const page = { store: null, rows: [], shown: [], at: -1, id: null, panes: [], pane: 0, asConversation: false, opening: 0, searching: 0, found: null };
const list = makeList(byId("list"), (i) => open(i));

async function start() {
  try {
    page.store = await openStore();
  } catch (error) {
    return tell(error.message);
  }
  fillControls();
  listen(actions);
  if (page.store.isServed) {
    await page.store.follow((problem) => (problem ? tell(problem) : (tell(""), takeNews())));
  } else {
    takeNews();
    window.addEventListener("hashchange", openFromAddress);
  }
}

/** The files have more questions than before, or it is the first look at them. */
function takeNews() {
  const sources = page.store.sources;
  const before = page.rows.length;
  const total = sources.reduce((sum, source) => sum + source.entries.length, 0);
  const isOpen = byId("files").querySelector("details[open]") !== null;
  byId("files").replaceChildren(...sources.map((source) => summary(source, openId)));
  for (const details of byId("files").querySelectorAll("details")) details.open = isOpen;
  if (!total) tell("No question is done yet: waiting for the first one.");
  document.title = `${sources.map((source) => source.name).join(" and ")}: trees`;
  if (before && total === page.total && sources.every((source, i) => source.number === page.numbers[i])) return;
  page.total = total;
  page.numbers = sources.map((source) => source.number);
  page.rows = rowsOf(sources);
  fillKinds();
  if (!before) {
    const isPair = sources.length > 1;
    byId("differing").checked = isPair;
    document.body.classList.toggle("pair", isPair);
  }
  refresh();
  if (!before && page.rows.length) openFromAddress();
}

function fillControls() {
  const options = (table) => Object.entries(table).map(([value, { word }]) => make("option", { value }, word));
  byId("ending").replaceChildren(...options(ENDINGS));
  byId("order").replaceChildren(...options(ORDERS));
  for (const id of ["ending", "order", "differing", "descending"]) byId(id).addEventListener("change", choose);
  byId("words").addEventListener("input", search);
  byId("deep").addEventListener("change", search);
  byId("deep-label").hidden = page.store.isServed;
  byId("measure").addEventListener("change", () => page.panes.forEach((pane) => pane.drawing?.colour(byId("measure").value)));
  byId("view").addEventListener("click", actions.conversation);
  byId("theme").addEventListener("click", actions.theme);
  byId("keys").addEventListener("click", actions.help);
  byId("larger").addEventListener("click", () => actions.zoom(1.2));
  byId("smaller").addEventListener("click", () => actions.zoom(1 / 1.2));
  byId("close").addEventListener("click", () => byId("help").close());
  byId("help").prepend(help());
}

function fillKinds() {
  const kinds = kindsOf(page.rows);
  const before = Object.fromEntries(kindSelects().map((select) => [select.name, select.value]));
  const selects = Object.entries(kinds).map(([key, values]) => {
    const all = make("option", { value: "" }, `any ${key}`);
    const options = values.map((value) => make("option", { value }, readable(value)));
    const select = make("select", { name: key, "aria-label": key, onchange: choose }, all, options);
    select.value = before[key] ?? "";
    return select;
  });
  byId("kinds").replaceChildren(...selects);
}

const kindSelects = () => [...byId("kinds").querySelectorAll("select")];

/** Lists the rows that are wanted now; the question that is open stays open. */
function refresh() {
  page.shown = pick(page.rows, {
    ending: byId("ending").value,
    words: byId("words").value,
    differing: byId("differing").checked,
    order: byId("order").value,
    descending: byId("descending").checked,
    groups: Object.fromEntries(kindSelects().map((select) => [select.name, select.value])),
    found: page.found,
  });
  page.at = page.shown.findIndex((row) => row.id === page.id);
  list.show(page.shown, page.at);
  byId("number").textContent = `${page.shown.length.toLocaleString("en")} of ${page.rows.length.toLocaleString("en")}`;
}

/** Searches at once in what the list knows; then, where that is wanted, in every step, which takes a while. */
async function search() {
  const number = ++page.searching;
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  page.found = null;
  choose();
  if (!byId("deep").checked || !words.length) return;
  const rows = new Map(page.rows.flatMap((row) => row.entries.map((entry) => [String(entry?.at), row.position])));
  page.found = new Set();
  await page.store.search(words, (places, share) => {
    if (number !== page.searching) return false; // other words are searched for by now
    for (const place of places) page.found.add(rows.get(String(place)));
    refresh();
    if (share < 1) byId("number").textContent += `, ${Math.floor(100 * share)}% searched`;
    return true;
  });
}

/** What the user wants to see has changed: the open question stays in sight where it is listed. */
function choose() {
  refresh();
  list.choose(page.at);
}

function openFromAddress() {
  const [named, tag] = location.hash.slice(1).split("&");
  const row = named && page.rows.find((other) => inAddress(other.id) === named);
  if (row) show(row, tag);
  else open(0);
}

/** An id as the address names it; half a character can't stand there. */
const inAddress = (id) => encodeURIComponent(id.toWellFormed());

/** Opens a question by its id, also one that the filters leave out. */
function openId(id) {
  const row = page.rows.find((other) => other.id === id);
  if (row) show(row);
}

function open(i) {
  if (page.shown[i]) show(page.shown[i]);
}

/** Draws the trees of a row, and marks the end of their solution, or the node of a tag. */
async function show(row, tag = null) {
  const number = ++page.opening;
  page.id = row.id;
  page.at = page.shown.indexOf(row);
  list.choose(page.at);
  let trees;
  try {
    trees = await Promise.all(row.entries.map((entry, i) => entry && page.store.tree(i, entry)));
  } catch (error) {
    return tell(error.message);
  }
  if (number !== page.opening) return; // another question was opened in the meantime
  page.panes = row.entries.map((entry, i) => makePane(entry, trees[i], i));
  page.pane = page.panes.findIndex((pane) => pane.drawing);
  byId("about").replaceChildren(questionHead(row, trees.find((tree) => tree)));
  byId("panes").replaceChildren(...page.panes.map((pane) => pane.element));
  fillMeasures();
  for (const pane of page.panes) pane.drawing?.choose(pane.first);
  const { tree } = page.panes[page.pane];
  const named = tree.nodes.findIndex((node) => node.tag === tag);
  pickNode(page.pane, named < 0 ? page.panes[page.pane].first : named);
}

function makePane(entry, tree, i) {
  const name = page.store.sources.length > 1 ? page.store.sources[i].name : "";
  if (!entry) return { element: make("section", { class: "pane none" }, make("p", {}, `${name} has no such question.`)) };
  const drawing = makeTree(tree, entry.state, name ? "narrow" : "wide", (node) => pickNode(i, node));
  const element = make("section", { class: "pane" }, treeHead(name, entry, tree), drawing.element);
  return { element, drawing, tree, first: tree.solutions?.[0] ?? 0 };
}

function fillMeasures() {
  const known = new Set(page.panes.flatMap((pane) => (pane.tree ? measuresOf(pane.tree) : [])));
  const before = byId("measure").value;
  byId("legend").replaceChildren(...legend(page.panes.flatMap((pane) => pane.tree ?? [])));
  for (const element of document.querySelectorAll(".measured")) element.hidden = !known.size;
  byId("measure").replaceChildren(...[...known].map((key) => make("option", { value: key }, MEASURES[key].word)));
  if (!known.has(before)) return;
  byId("measure").value = before;
  page.panes.forEach((pane) => pane.drawing?.colour(before));
}

function pickNode(pane, node) {
  page.pane = pane;
  const { drawing, tree } = page.panes[pane];
  page.panes.forEach((other, i) => other.element.classList.toggle("active", i === pane));
  drawing.choose(node);
  const { c_puct: weight, examples } = page.store.sources[pane];
  const shown = page.asConversation
    ? conversation(tree, node, examples)
    : nodePanel(tree, node, weight, (i) => pickNode(pane, i));
  byId("panel").replaceChildren(shown);
  byId("panel").scrollTop = 0;
  byId("view").textContent = page.asConversation ? "step" : "conversation";
  if (page.id.length <= MOST_OF_ADDRESS) history.replaceState(null, "", `#${inAddress(page.id)}&${tree.nodes[node].tag}`);
}

/** A line of text for the user; "" takes it away. */
function tell(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

const current = () => page.panes[page.pane]?.drawing;

const actions = {
  next: () => open(Math.min(page.shown.length - 1, page.at + 1)),
  previous: () => open(Math.max(0, page.at - 1)),
  step: (direction) => current() && pickNode(page.pane, current().step(direction)),
  solution: () => current() && pickNode(page.pane, page.panes[page.pane].first),
  fold: () => current()?.fold(current().at()),
  conversation() {
    page.asConversation = !page.asConversation;
    if (current()) pickNode(page.pane, current().at());
  },
  swap() {
    const other = page.panes.findIndex((pane, i) => i !== page.pane && pane.drawing);
    if (other >= 0) pickNode(other, page.panes[other].drawing.at());
  },
  zoom: (factor) => current()?.zoom(factor),
  search: () => byId("words").focus(),
  theme() {
    const root = document.documentElement;
    const isDark = root.style.colorScheme ? root.style.colorScheme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.style.colorScheme = isDark ? "light" : "dark";
  },
  help: () => (byId("help").open ? byId("help").close() : byId("help").showModal()),
};

start();

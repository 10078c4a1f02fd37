import { count, duration, make, percent } from "./dom.js";

/** A file, or a run that goes on, in numbers. */
export function summary(source, onPick) {
  const numbers = source.summary;
  const live = numbers.live;
  return make(
    "section",
    { class: "summary" },
    make("h2", {}, source.name, live ? make("span", { class: "chip live" }, live.loading ? "loading the model" : "running") : null),
    numbers.total && numbers.total > numbers.done ? make("progress", { max: numbers.total, value: numbers.done }) : null,
    make("dl", { class: "figures" }, figures(numbers), live ? liveFigures(live) : null),
    slowest(numbers.slowest, onPick),
    (source.notices ?? []).slice(0, 5).map((notice) => make("p", { class: "error" }, notice.slice(0, 500))),
  );
}

const figure = (name, value, title = null) => make("div", { title }, make("dt", {}, name), make("dd", {}, value));

function figures(numbers) {
  const accuracy = numbers.judged
    ? `${percent(numbers.right / numbers.judged)} (${numbers.interval.map((end) => (100 * end).toFixed(1)).join("–")}) of ${count(numbers.judged)}`
    : "–";
  return [
    figure("questions", numbers.total ? `${count(numbers.done)} of ${count(numbers.total)}` : count(numbers.done)),
    figure(numbers.oracle ? "accuracy (oracle)" : "accuracy", accuracy, "with the 95 % interval over questions, of those that are judged; one that broke down is wrong"),
    numbers.stopped ? figure("stopped", count(numbers.stopped)) : null,
    numbers.errors ? figure("broke down", count(numbers.errors)) : null,
    figure("tokens", count(numbers.tokens)),
    figure("tokens a second", count(numbers.live?.tokens_per_s ?? numbers.tokens_per_s), "of machine time"),
    figure("cached", percent(numbers.live?.cached_share ?? numbers.cached_share, 0), "share of prompt tokens that a prefix cache held"),
    numbers.cells ? figure("cells", count(numbers.cells), "runs of the interpreter") : null,
  ];
}

const liveFigures = (live) => live.loading ? figure("loading for", duration(live.seconds)) : [
  figure("running for", duration(live.seconds)),
  figure("time left", duration(live.seconds_left)),
  figure("questions in flight", count(live.trees)),
  figure("requests in flight", count(live.requests)),
  figure("rows in a batch", count(live.batch_rows), "mean over the steps of the engine's batch"),
  figure("interpreter states", count(live.interpreter_states)),
];

function slowest(questions, onPick) {
  if (!questions.length) return null;
  const link = ({ id, seconds }) =>
    make("li", {}, make("button", { class: "link", onclick: () => onPick(id) }, id.slice(0, 60)), ` ${duration(seconds)}`);
  return make("details", {}, make("summary", {}, "slowest questions"), make("ol", {}, questions.map(link)));
}

/** The questions of one file, or of two side by side: what stands in one only has a gap in the place of the other. */
export function rowsOf(sources) {
  if (sources.length < 2) return (sources[0]?.entries ?? []).map((entry, i) => row(i, [entry]));
  const second = new Map(sources[1].entries.map((entry) => [entry.id, entry]));
  const pairs = sources[0].entries.map((entry) => [entry, second.get(entry.id) ?? null]);
  const first = new Set(sources[0].entries.map((entry) => entry.id));
  const others = sources[1].entries.filter((entry) => !first.has(entry.id)).map((entry) => [null, entry]);
  return [...pairs, ...others].map((entries, i) => row(i, entries));
}

function row(position, entries) {
  const known = entries.find((entry) => entry);
  const parts = entries.flatMap((entry) => (entry ? [entry.answer, entry.golds, entry.error] : []));
  return {
    position,
    id: known.id,
    question: known.question ?? "",
    entries,
    known,
    differs: entries.length > 1 && differ(...entries),
    words: [known.id, known.question, ...parts].join("\n").toLowerCase(),
  };
}

/** Whether two files say different things of a question: right or wrong, how it ended, or which answer was chosen. */
function differ(first, second) {
  if (!first || !second) return true;
  return ["state", "stopped", "answer"].some((key) => first[key] !== second[key]);
}

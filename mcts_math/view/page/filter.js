/** Ways of picking rows by how they ended. The last two are for two files. */
export const ENDINGS = {
  all: { word: "all", test: () => true },
  right: { word: "right", test: (row) => some(row, (entry) => entry.state === "right") },
  wrong: { word: "wrong", test: (row) => some(row, (entry) => entry.state === "wrong") },
  unanswered: { word: "without an answer", test: (row) => some(row, (entry) => !entry.answer) },
  unjudged: { word: "not judged", test: (row) => some(row, (entry) => entry.state === "unjudged") },
  stopped: { word: "stopped by a limit", test: (row) => some(row, (entry) => entry.stopped) },
  error: { word: "broke down", test: (row) => some(row, (entry) => entry.state === "error") },
  gained: { word: "only the first file right", test: (row) => onlyRight(row, 0), pair: true },
  lost: { word: "only the second file right", test: (row) => onlyRight(row, 1), pair: true },
};

const some = (row, test) => row.entries.some((entry) => entry && test(entry));
const isRight = (entry) => entry?.state === "right";
const onlyRight = (row, i) => isRight(row.entries[i]) && !isRight(row.entries[1 - i]);

/** What rows are sorted by. */
export const ORDERS = {
  file: { word: "order of the results", key: (row) => row.position },
  value: { word: "value", key: (row) => row.known.value },
  tokens: { word: "tokens", key: (row) => row.known.tokens },
  nodes: { word: "nodes", key: (row) => row.known.nodes },
  seconds: { word: "seconds", key: (row) => row.known.costs?.seconds },
};

/**
 * The rows to list.
 *
 * @param wanted ending, words, groups ({key: value}), differing, order, descending, and found: rows that a search
 *   through all steps has found, or null.
 */
export function pick(rows, wanted) {
  const words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = Object.entries(wanted.groups).filter(([, value]) => value);
  const picked = rows.filter(
    (row) =>
      ENDINGS[wanted.ending].test(row) &&
      (!wanted.differing || row.differs) &&
      (wanted.found?.has(row.position) || words.every((word) => row.words.includes(word))) &&
      groups.every(([key, value]) => row.known.groups?.[key] === value),
  );
  return order(picked, ORDERS[wanted.order].key, wanted.descending ? -1 : 1);
}

/** Sorted by a key, equal ones in the order of the file, those without it last. */
function order(rows, key, sign) {
  const keyed = rows.map((row) => [key(row) ?? null, row]);
  keyed.sort(([a, first], [b, second]) => {
    if (a === null || b === null) return (a === null) - (b === null) || first.position - second.position;
    return sign * (a - b) || first.position - second.position;
  });
  return keyed.map(([, row]) => row);
}

/** The kinds of questions that there are: {key: sorted values}, for keys with more than one and not too many. */
export function kindsOf(rows, most = 60) {
  const kinds = {};
  for (const row of rows) {
    for (const [key, value] of Object.entries(row.known.groups ?? {})) (kinds[key] ??= new Set()).add(value);
  }
  const several = Object.entries(kinds).filter(([, values]) => values.size > 1 && values.size <= most);
  const compare = (a, b) => a.localeCompare(b, "en", { numeric: true });
  return Object.fromEntries(several.map(([key, values]) => [key, [...values].sort(compare)]));
}

import { byId } from "./dom.js";

const KEPT_CHUNKS = 8;
const POLL_MS = 2000;

async function unpack(stream) {
  return JSON.parse(await new Response(stream.pipeThrough(new DecompressionStream("gzip"))).text());
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const unpackBlock = (element) => unpack(new Blob([bytesOf(element.textContent)]).stream());

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A block of data of this file, waited for while the browser still reads the file. */
async function block(id) {
  for (;;) {
    const isRead = document.readyState !== "loading";
    const element = byId(id);
    if (element && (isRead || element.nextElementSibling)) return element;
    if (isRead) throw new Error("This file is not whole: a part of its data is missing. Build it again.");
    await pause(30);
  }
}

/** Where the page's data comes from: blocks of this file, or the server that it came from. */
export async function openStore() {
  const { sources } = await unpackBlock(byId("head"));
  return sources ? embedded(sources) : served();
}

/** Whether the steps of a tree hold all words. */
function holds(tree, words) {
  const texts = tree.nodes.map(({ parts = [], thinking = "" }) => thinking + parts.map(([, part]) => part).join(""));
  const text = texts.join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function embedded(sources) {
  const kept = new Map();
  async function chunk(number) {
    const trees = kept.get(number) ?? unpackBlock(await block(`chunk-${number}`));
    kept.delete(number);
    kept.set(number, trees);
    if (kept.size > KEPT_CHUNKS) kept.delete(kept.keys().next().value);
    return trees;
  }

  /** Tells `onFound` where trees stand that hold all words, and the share that was searched, until it says false. */
  async function search(words, onFound) {
    const chunks = 1 + sources.at(-1).entries.at(-1).at[0];
    for (let number = 0; number < chunks; number++) {
      const trees = await unpackBlock(await block(`chunk-${number}`));
      const places = trees.flatMap((tree, place) => (holds(tree, words) ? [[number, place]] : []));
      if (!onFound(places, (number + 1) / chunks)) return;
    }
  }

  return {
    sources,
    isServed: false,
    tree: async (source, entry) => (await chunk(entry.at[0]))[entry.at[1]],
    follow: () => {},
    search,
  };
}

function served() {
  const store = { sources: [], isServed: true, tree, follow };

  async function ask(path) {
    const reply = await fetch(path);
    if (!reply.ok) throw new Error(await reply.text());
    return unpack(reply.body);
  }

  function tree(source, entry) {
    return ask(`tree?source=${source}&number=${store.sources[source].number}&place=${entry.at[1]}`);
  }

  function take(news, i) {
    const before = store.sources[i]?.entries.slice(0, news.first) ?? [];
    return { ...news, entries: before.concat(news.entries) };
  }

  /** Asks for news again and again; `onNews` is told when there are any, or (with a text) that none can be had. */
  async function follow(onNews) {
    for (;;) {
      const seen = store.sources.map((source) => [source.number, source.entries.length]);
      while (seen.length < 2) seen.push([-1, 0]);
      try {
        const { sources } = await ask(`news?seen=${JSON.stringify(seen)}`);
        store.sources = sources.map(take);
        onNews("");
        if (sources.some(({ entries }) => entries.length)) continue; // a large file comes in parts
      } catch (error) {
        onNews(error instanceof TypeError ? "The server does not answer: has it ended?" : error.message);
      }
      await pause(POLL_MS);
    }
  }
  return store;
}

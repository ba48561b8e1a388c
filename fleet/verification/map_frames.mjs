// Says where places in the bundle come from: FRAMES holds [[file, line, column], …] (from 1), and
// one line of JSON answers with [[source, line] or null, …], sources as paths in the app's folder.
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import path from "node:path";

const maps = new Map();

function mapOf(file) {
  if (!maps.has(file)) {
    maps.set(file, new SourceMap(JSON.parse(readFileSync(`dist/${file}.map`, "utf8"))));
  }
  return maps.get(file);
}

function origin([file, line, column]) {
  const entry = mapOf(file).findEntry(line - 1, column - 1);
  if (entry.originalSource === undefined) return null;
  const source = path.posix.join("dist", path.posix.dirname(file), entry.originalSource);
  return [source, entry.originalLine + 1];
}

console.log(JSON.stringify({ frames: JSON.parse(process.env.FRAMES).map(origin) }));

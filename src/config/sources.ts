import { readFileSync } from 'node:fs';
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { MonolithError } from '../base/index.js';
import { invalidConfig } from './problems.js';

/** A configuration file is a page or two; larger ones are data given by mistake. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Values of one file, aliases followed; ends nested aliases that would grow without bound. */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 64;

/** Keys that reach an object's prototype. */
const prototypeKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * A YAML or JSON file as plain values. Refuses what YAML would let pass silently: a key given twice, keys that are not text, keys that reach a
 * prototype, unknown tags, several documents. An empty file is an empty mapping.
 *
 * @throws InvalidConfig with file, line and what is wrong, also for a file that is not there or may not be read.
 */
export function readStructuredFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reasons: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'is a folder', EACCES: 'may not be read' };
    const message = `${path}: ${reasons[code] ?? (error as Error).message}; give the path of a YAML or JSON file`;
    throw new MonolithError('InvalidConfig', message, { path: '', source: path, problems: [message] }, { cause: error });
  }
  if (text.length > MAX_FILE_BYTES) throw oneProblem(path, `is ${text.length} bytes long, a configuration has at most ${MAX_FILE_BYTES}`);
  return path.endsWith('.json') ? parseJson(text, path) : parseYaml(text, path);
}

function oneProblem(source: string, message: string, path = ''): MonolithError {
  return invalidConfig([{ message: `${source}: ${message}`, path, source }]);
}

/** JSON text as plain values; see {@link parseYaml}. */
export function parseJson(text: string, source: string): unknown {
  try {
    JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec((error as Error).message);
    const before = position === null ? null : text.slice(0, Number(position[1]));
    const line = before === null ? '' : ` (line ${before.split('\n').length})`;
    throw oneProblem(source, `not valid JSON${line}: ${(error as Error).message}`);
  }
  // JSON is YAML but for tabs between values; inside texts JSON has none. YAML's parser keeps doubled keys, JSON's does not.
  return parseYaml(text.replaceAll('\t', ' '), source);
}

/** YAML text as plain values. @param source file, flag or variable, the start of every message. */
export function parseYaml(text: string, source: string): unknown {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { version: '1.2', schema: 'core', uniqueKeys: false, lineCounter: lines, prettyErrors: false });
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined) {
      const { line, col } = lines.linePos(fault.pos[0]);
      throw oneProblem(source, `not valid YAML (line ${line}, column ${col}): ${fault.message}`);
    }
    return new PlainValues(document, lines, source).convert(document.contents, '', 0);
  } catch (error) {
    if (error instanceof RangeError) throw oneProblem(source, 'is nested too deeply');
    throw error;
  }
}

/** Turns a parsed document into plain values, key by key. */
class PlainValues {
  private remaining = MAX_VALUES;

  constructor(
    private readonly document: Document,
    private readonly lines: LineCounter,
    private readonly source: string,
  ) {}

  convert(node: unknown, path: string, depth: number): unknown {
    if (--this.remaining < 0) throw oneProblem(this.source, `has more than ${MAX_VALUES} values; aliases may multiply them`, path);
    if (depth > MAX_DEPTH) throw oneProblem(this.source, `${path.slice(0, 80)}… is nested more than ${MAX_DEPTH} deep`, path);
    if (node === null || node === undefined) return null;
    if (isAlias(node)) return this.convert((node as Alias).resolve(this.document), path, depth + 1);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item, index) => this.convert(item, `${path}[${index}]`, depth + 1));
    if (!isMap(node)) throw oneProblem(this.source, `${path}: unexpected value`, path);
    const result: Record<string, unknown> = {};
    const firstLines = new Map<string, number>();
    for (const pair of node.items) {
      const key = isScalar(pair.key) ? pair.key.value : pair.key;
      const range = isScalar(pair.key) ? pair.key.range : null;
      const line = range ? this.lines.linePos(range[0]).line : 0;
      if (typeof key !== 'string') {
        throw oneProblem(this.source, `line ${line}: a key must be text, got ${isScalar(pair.key) ? String(key) : 'a collection'}`, path);
      }
      const keyPath = path === '' ? key : `${path}.${key}`;
      if (prototypeKeys.has(key)) throw oneProblem(this.source, `line ${line}: ${keyPath} is not allowed as a key`, keyPath);
      const firstLine = firstLines.get(key);
      if (firstLine !== undefined) {
        throw oneProblem(this.source, `${keyPath} is given twice, in lines ${firstLine} and ${line}; keep one`, keyPath);
      }
      firstLines.set(key, line);
      result[key] = this.convert(pair.value, keyPath, depth + 1);
    }
    return result;
  }
}

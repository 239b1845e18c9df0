import { readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { MonolithError } from '../base/index.js';

/** Standard input as a file name. */
export const standardInput = '-';

/**
 * The files that patterns name: paths, globs (*, ?, **, [..], {a,b}), comma lists, folders (their regular files), `@list` for a text file
 * with one of these a line. Pattern order, then sorted names; a file that several patterns match comes once. '-' stays as it is.
 *
 * @throws InvalidConfig for a file that is written down twice.
 * @throws DataNotFound naming the first pattern that matches nothing.
 */
export async function expandFiles(patterns: readonly string[]): Promise<string[]> {
  const seen = new Set<string>();
  const named = new Set<string>();
  const files: string[] = [];
  for (const pattern of await termsOf(patterns)) {
    const found = pattern === standardInput ? [standardInput] : await expandOne(pattern);
    if (found.length === 0) {
      throw new MonolithError('DataNotFound', `no file matches "${pattern}" (in ${process.cwd()}): check the path`, { pattern });
    }
    const [only] = found;
    if (found.length === 1 && only === pattern) {
      // Overlapping patterns are no surprise; a file written down twice is either a slip or meant to count twice.
      const key = pattern === standardInput ? pattern : resolve(pattern);
      if (named.has(key)) {
        throw new MonolithError(
          'InvalidConfig',
          `${pattern} is named twice: name each file once (epochs says how often the data are read)`,
          {
            pattern,
          },
        );
      }
      named.add(key);
    }
    for (const file of found) {
      const key = file === standardInput ? file : resolve(file);
      if (!seen.has(key)) files.push(file);
      seen.add(key);
    }
  }
  if (files.length === 0) throw new MonolithError('DataNotFound', 'no data files are named');
  return files;
}

/**
 * The files that one pattern names: a path or glob, a comma list of them, or `@list`, a text file with one of them a line (blank lines and
 * those that begin with # are passed over; commas in a line do not split it). Each file once, sorted by path. A path without a file is
 * left out, and told to `leftOut`.
 *
 * @throws DataNotFound where no file is left, or the list can't be read. @throws InvalidConfig for a glob with a bracket or brace that is never closed.
 */
export async function filesFromPattern(pattern: string, leftOut: (term: string) => void = () => {}): Promise<string[]> {
  const files = new Map<string, string>();
  for (const term of await termsOf([pattern])) {
    checkGlob(term);
    const found = (await stat(term).catch(() => null))?.isDirectory() ? [] : await expandOne(term);
    if (found.length === 0) leftOut(term);
    for (const file of found) if (!files.has(resolve(file))) files.set(resolve(file), file);
  }
  if (files.size === 0) throw new MonolithError('DataNotFound', `No files matched pattern: ${pattern} (in ${process.cwd()})`, { pattern });
  return [...files.values()].sort();
}

/** Comma lists taken apart, lists in files read. */
async function termsOf(patterns: readonly string[]): Promise<string[]> {
  const terms: string[] = [];
  for (const term of patterns.flatMap(splitCommas)) {
    if (term.startsWith('@')) terms.push(...(await readList(term.slice(1))));
    else terms.push(term);
  }
  return terms;
}

async function readList(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MonolithError(
      'DataNotFound',
      `@${path}: the list of files can't be read (${error.code ?? error.message}); a file whose own name begins with @ is written ./@…`,
      { path },
      { cause: error },
    );
  });
  const lines = text.replace(/^\ufeff/, '').split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

function checkGlob(term: string): void {
  const open = term.search(/\[[^\]]*$/) >= 0 ? '[' : bracesOpen(term) ? '{' : null;
  if (open !== null) throw new MonolithError('InvalidConfig', `"${term}": ${open} is never closed`, { pattern: term });
}

function bracesOpen(term: string): boolean {
  let depth = 0;
  for (const c of term)
    if (c === '{') depth++;
    else if (c === '}' && depth > 0) depth--;
  return depth > 0;
}

/** Splits at commas outside braces; a name with a comma can be reached by a glob. */
function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}') depth--;
    else if (text[i] === ',' && depth <= 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

async function expandOne(pattern: string): Promise<string[]> {
  const info = await stat(pattern).catch(() => null);
  if (info?.isDirectory()) {
    const entries = await readdir(pattern, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map((entry) => entry.name);
    return names.sort().map((name) => join(pattern, name));
  }
  if (info !== null) return [pattern];
  const found = new Set<string>();
  for (const plain of expandBraces(pattern)) {
    if (!/[*?[]/.test(plain)) {
      if ((await stat(plain).catch(() => null))?.isFile()) found.add(plain);
      continue;
    }
    for (const file of await walk(plain)) found.add(file);
  }
  return [...found].sort();
}

function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf('{');
  if (open < 0) return [pattern];
  let depth = 0;
  const commas: number[] = [];
  for (let i = open; i < pattern.length; i++) {
    if (pattern[i] === '{') depth++;
    else if (pattern[i] === ',' && depth === 1) commas.push(i);
    else if (pattern[i] === '}' && --depth === 0) {
      const ends = [open, ...commas, i];
      const head = pattern.slice(0, open);
      const tail = pattern.slice(i + 1);
      return ends.slice(1).flatMap((end, k) => expandBraces(head + pattern.slice((ends[k] as number) + 1, end) + tail));
    }
  }
  return [pattern];
}

/** Files that match a glob without braces. */
async function walk(pattern: string): Promise<string[]> {
  const parts = pattern.split(/[\\/]/);
  const absolute = pattern.startsWith('/') || pattern.startsWith('\\');
  const start = absolute ? sep : '';
  const found: string[] = [];
  await descend(start, absolute ? parts.slice(1) : parts, found);
  return found;
}

async function descend(folder: string, parts: readonly string[], found: string[]): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  const child = (name: string): string => (folder === '' ? name : join(folder, name));
  if (part === '' || part === '.') return descend(folder, rest, found);
  if (!/[*?[]/.test(part)) {
    const path = child(part);
    const info = await stat(path).catch(() => null);
    if (rest.length === 0 && info?.isFile()) found.push(path);
    else if (rest.length > 0 && info?.isDirectory()) await descend(path, rest, found);
    return;
  }
  const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => []);
  if (part === '**') {
    await descend(folder, rest.length === 0 ? ['*'] : rest, found);
    for (const entry of entries) if (entry.isDirectory() && !entry.name.startsWith('.')) await descend(child(entry.name), parts, found);
    return;
  }
  const matcher = globToRegExp(part);
  for (const entry of entries) {
    if (!matcher.test(entry.name)) continue;
    const path = child(entry.name);
    const info = await stat(path).catch(() => null);
    if (rest.length === 0 && info?.isFile()) found.push(path);
    else if (rest.length > 0 && info?.isDirectory()) await descend(path, rest, found);
  }
}

function globToRegExp(part: string): RegExp {
  let source = '';
  for (let i = 0; i < part.length; i++) {
    const c = part[i] as string;
    if (c === '*') source += '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '[') {
      const end = part.indexOf(']', i + 2);
      if (end < 0) source += '\\[';
      else {
        const body = part
          .slice(i + 1, end)
          .replace(/^!/, '^')
          .replaceAll('\\', '\\\\')
          .replaceAll('[', '\\[');
        source += `[${body}]`;
        i = end;
      }
    } else source += c.replaceAll(/[.+^${}()|\\\]]/g, '\\$&');
  }
  return new RegExp(`^${part.startsWith('.') ? '' : '(?!\\.)'}${source}$`);
}

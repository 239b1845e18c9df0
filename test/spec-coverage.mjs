// Which test shows which numbered behaviour. Names of tests begin with the numbers of what they show: '#39 ids are made distinct …'.
//   node test/run.mjs --list-spec           prints the table
//   node test/run.mjs --list-spec --write   writes docs/spec-coverage.md too
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/spec-coverage.md');

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

/**
 * Behaviours of parameter servers, clients, barriers, LocalCluster, discovery and the runner on several hosts; of run configurations, restores,
 * estimators, hooks, queues, launchers' environments, path helpers, patterns of files and files of records.
 */
export const items = [
  ...['3a', '5a', '5b', '5c', '5d', '5e', '5f', '5g', '5i', '6a', '6b', '6c', '7a', '7b'],
  ...range(8, 21),
  ...['22a', '22b'],
  ...range(23, 82),
];

/** A name where it stands in the source: the first argument of describe(…), test(…) or it(…), as a literal, and the line's indentation. */
const NAMED = /^([ \t]*)[^\n]*?\b(describe|test|it)(?:\.\w+)?\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/gm;
const NUMBERS = /^(?:#\d+[a-z]?\b[\s,/+–-]*)+/;

/** Numbers at the beginning of a test's name. */
export function numbersOf(name) {
  return [...(NUMBERS.exec(name)?.[0] ?? '').matchAll(/#(\d+[a-z]?)/g)].map(([, number]) => number);
}

/**
 * Names of the tests in a source text, in order. One that begins with the variable of a loop over numbers stands once for each of them; one
 * without numbers gets the name of its suite in front, if that begins with numbers.
 */
export function testNames(source) {
  const suites = [];
  return [...source.matchAll(NAMED)].flatMap((match) => {
    const [, indentation, kind] = match;
    const name = (match[3] ?? match[4] ?? match[5]).replace(/\\(['"`])/g, '$1');
    while (suites.length > 0 && suites.at(-1).depth >= indentation.length) suites.pop();
    if (kind === 'describe') {
      suites.push({ depth: indentation.length, name });
      return [];
    }
    const variable = /^\$\{(\w+)\}/.exec(name);
    if (variable !== null) {
      const loops = [
        ...source.slice(0, match.index + match[0].length).matchAll(new RegExp(`\\bconst ${variable[1]} of \\[([^\\]]*)\\]`, 'g')),
      ];
      const numbers = [...(loops.at(-1)?.[1] ?? '').matchAll(/#\d+[a-z]?/g)];
      if (numbers.length > 0) return numbers.map(([number]) => number + name.slice(variable[0].length));
    }
    if (numbersOf(name).length > 0) return [name];
    const suite = suites.findLast((one) => numbersOf(one.name).length > 0);
    return [suite === undefined ? name : `${suite.name}: ${name}`];
  });
}

/** item → its tests: file, relative to the repository, and name. */
export function specCoverage() {
  const coverage = new Map(items.map((item) => [item, []]));
  const folder = join(root, 'test/spec');
  for (const file of readdirSync(folder, { recursive: true }).map(String).sort()) {
    if (!file.endsWith('.test.ts')) continue;
    const path = relative(root, join(folder, file)).split(sep).join('/');
    for (const name of testNames(readFileSync(join(folder, file), 'utf8'))) {
      for (const number of numbersOf(name)) coverage.get(number)?.push({ file: path, name: name.replace(/\s+/g, ' ') });
    }
  }
  return coverage;
}

/** The table as lines of Markdown. */
export function coverageTable(coverage = specCoverage()) {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const rows = [...coverage].flatMap(([item, tests]) =>
    tests.length === 0 ? [`| #${item} | **none** | |`] : tests.map(({ file, name }) => `| #${item} | ${file} | ${cell(name)} |`),
  );
  return ['| Item | Test file | Test |', '|---|---|---|', ...rows].join('\n');
}

/** docs/spec-coverage.md as the tests stand now. */
export function coveragePage(coverage = specCoverage()) {
  return `# Which test shows which behaviour

Numbered behaviours of parameter servers, their clients and barriers, LocalCluster, discovery, the runner on several hosts, run
configurations, restores, estimators, hooks, queues, launchers' environments, path helpers, patterns of files and files of records, each with the tests
that show it through the package's public exports. Made by \`npm test -- --list-spec --write\`; run them with \`npm test -- spec\`.
\`\${…}\` in a name stands for the cases that one test is written for.

${coverageTable(coverage)}
`;
}

/** Prints the table; with `write`, writes the page in docs. Answers with the number of items without a test. */
export function listSpec(write) {
  const coverage = specCoverage();
  const missing = [...coverage].filter(([, tests]) => tests.length === 0).map(([item]) => `#${item}`);
  const count = [...coverage.values()].reduce((sum, tests) => sum + tests.length, 0);
  process.stdout.write(`${coverageTable(coverage)}\n`);
  process.stderr.write(
    `${items.length - missing.length} of ${items.length} items, ${count} tests${missing.length > 0 ? `; without: ${missing.join(', ')}` : ''}\n`,
  );
  if (write) writeFileSync(page, coveragePage(coverage));
  return missing.length;
}

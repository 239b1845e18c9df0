import { posix } from 'node:path';
import ts from 'typescript';

/** One room: its floor and the rooms it may import. */
export type Room = { readonly floor: number; readonly name: string; readonly mayImport: readonly string[] };

/** rooms.json: the layout rule for machines. A home is a room or a path prefix inside one ('data/parse-pool'). */
export type Layout = {
  readonly rooms: readonly Room[];
  /** Outside package → the only place that may import it. */
  readonly packages: Readonly<Record<string, string>>;
  /** The only place that may call createRequire or process.dlopen. */
  readonly nativeLoading: string;
  /** Places that may import a path worked out at run time (a user's own file). */
  readonly computedImport: readonly string[];
  readonly maxLines: number;
};

/** Path from the project's root ('src/base/errors.ts') → text. */
export type Tree = ReadonlyMap<string, string>;

export type Violation = { readonly file: string; readonly line: number; readonly text: string };

type Import = { readonly specifier: string; readonly line: number };
type Source = { readonly path: string; readonly room: string | null; readonly imports: readonly Import[] };

/** All breaches of the layout rule and of the language rules in a tree, in the order of its files. */
export function findViolations(tree: Tree, layout: Layout): Violation[] {
  const violations: Violation[] = [];
  const sources: Source[] = [];
  for (const [path, text] of tree) {
    if (isGenerated(path)) continue;
    checkText(path, text, layout, violations);
    if (!path.startsWith('src/') || !path.endsWith('.ts')) continue;
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const source = { path, room: roomOf(path), imports: [] as Import[] };
    walk(file, file, source.imports, source, layout, violations);
    sources.push(source);
  }
  for (const source of sources) checkImports(source, tree, layout, violations);
  violations.push(...findCycles(sources), ...findRoomsWithoutDoor(tree));
  return violations;
}

/** Rows of the table that contradict its floors: an unknown room, or one that is not on a lower floor. */
export function findLayoutErrors(layout: Layout): string[] {
  const floors = new Map(layout.rooms.map((room) => [room.name, room.floor]));
  return layout.rooms.flatMap((room) =>
    room.mayImport.flatMap((name) => {
      const floor = floors.get(name);
      if (floor === undefined) return [`${room.name} may import ${name}, which is no room`];
      return floor < room.floor ? [] : [`${room.name} (floor ${room.floor}) may import ${name} (floor ${floor}): not a lower floor`];
    }),
  );
}

function isGenerated(path: string): boolean {
  return path.includes('/generated/');
}

/** 'src/kernels/native/load.ts' → 'kernels'; null for the package's own door, src/index.ts. */
function roomOf(path: string): string | null {
  const parts = path.split('/');
  return parts.length > 2 ? (parts[1] as string) : null;
}

/** Whether a file under src/ lives in a home such as 'kernels', 'base/logger' or 'data/parse-pool'. */
function livesIn(path: string, home: string): boolean {
  const inside = path.slice('src/'.length);
  return inside === `${home}.ts` || inside.startsWith(`${home}/`) || (home.includes('/') && inside.startsWith(`${home}-`));
}

function checkText(path: string, text: string, layout: Layout, violations: Violation[]): void {
  const lines = text.split('\n');
  const length = text.endsWith('\n') ? lines.length - 1 : lines.length;
  if (length > layout.maxLines) {
    violations.push({ file: path, line: length, text: `${length} lines, at most ${layout.maxLines}: split it into two concepts` });
  }
  lines.forEach((line, index) => {
    const word = /\b(TODO|FIXME|XXX)\b/.exec(line);
    if (word !== null) violations.push({ file: path, line: index + 1, text: `${word[0]}: work to do goes into an issue` });
  });
}

/** Collects imports and notes what the language rules forbid. */
function walk(node: ts.Node, file: ts.SourceFile, imports: Import[], source: Source, layout: Layout, violations: Violation[]): void {
  const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const forbid = (text: string) => violations.push({ file: source.path, line, text });
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
    if (ts.isStringLiteral(node.moduleSpecifier)) imports.push({ specifier: node.moduleSpecifier.text, line });
  } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    imports.push({ specifier: node.argument.literal.text, line });
  } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const argument = node.arguments[0];
    if (argument !== undefined && ts.isStringLiteralLike(argument)) imports.push({ specifier: argument.text, line });
    else if (!layout.computedImport.some((home) => livesIn(source.path, home))) {
      forbid(`import of a path worked out at run time; allowed in ${layout.computedImport.join(', ')}`);
    }
  } else if (ts.isExportAssignment(node) || (ts.canHaveModifiers(node) && isDefaultExport(node))) {
    forbid('default export: give it a name');
  } else if (ts.isExportSpecifier(node) && node.name.text === 'default') {
    forbid('default export: give it a name');
  } else if (node.kind === ts.SyntaxKind.AnyKeyword) {
    forbid('`any`: say what it is, or take `unknown` and look');
  } else if (ts.isNonNullExpression(node)) {
    forbid('`!`: check for null, or say why it cannot be with an invariant');
  } else if (ts.isEnumDeclaration(node)) {
    forbid('enum: take a union of strings or a const object');
  } else if (ts.isIdentifier(node) && isNativeLoading(node) && !livesIn(source.path, layout.nativeLoading)) {
    forbid(`${node.text}: native code is loaded in ${layout.nativeLoading} only`);
  }
  ts.forEachChild(node, (child) => walk(child, file, imports, source, layout, violations));
}

function isDefaultExport(node: ts.HasModifiers): boolean {
  return ts.getModifiers(node)?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword) === true;
}

function isNativeLoading(node: ts.Identifier): boolean {
  return (node.text === 'createRequire' || node.text === 'dlopen') && !ts.isImportSpecifier(node.parent);
}

function checkImports(source: Source, tree: Tree, layout: Layout, violations: Violation[]): void {
  const row = layout.rooms.find((room) => room.name === source.room);
  if (source.room !== null && row === undefined) {
    violations.push({ file: source.path, line: 1, text: `src/${source.room} is no room of rooms.json` });
    return;
  }
  if (source.room === null && source.path !== 'src/index.ts') {
    violations.push({ file: source.path, line: 1, text: 'a file outside every room; only src/index.ts may stand there' });
  }
  for (const { specifier, line } of source.imports) {
    const forbid = (text: string) => violations.push({ file: source.path, line, text: `import of '${specifier}': ${text}` });
    if (!specifier.startsWith('.')) {
      const problem = outsideImportProblem(source.path, specifier, layout);
      if (problem !== null) forbid(problem);
      continue;
    }
    const target = posix.join(posix.dirname(source.path), specifier);
    const room = roomOf(target);
    if (!target.startsWith('src/')) forbid('leaves src/');
    else if (/\.thread\.js$/.test(target))
      forbid('a *.thread.ts is the first code of a thread; start it with new Worker, import what it uses');
    else if (!target.endsWith('.js') || !tree.has(target.replace(/\.js$/, '.ts'))) forbid('no such file (paths end in .js)');
    else if (room === source.room) continue;
    else if (room === null || target !== `src/${room}/index.js`) forbid(`goes round a door; import src/${room ?? '?'}/index.js`);
    else if (row !== undefined && !row.mayImport.includes(room)) {
      forbid(`${row.name} may not import ${room}; it may import ${row.mayImport.join(', ') || 'Node only'}`);
    }
  }
}

function outsideImportProblem(path: string, specifier: string, layout: Layout): string | null {
  if (specifier === 'node:test') return 'tests live in test/';
  if (specifier.startsWith('node:')) return null;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const home = layout.packages[name];
  if (home === undefined) return `${name} has no home in rooms.json (Node's own modules are written node:${name})`;
  return livesIn(path, home) ? null : `${name} lives in ${home} only`;
}

/** Cycles among the files of one room, one violation each; a file that imports its own door makes one too. */
function findCycles(sources: readonly Source[]): Violation[] {
  const edges = new Map(
    sources.map((source) => [
      source.path,
      source.imports
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier, line }) => ({ to: posix.join(posix.dirname(source.path), specifier).replace(/\.js$/, '.ts'), line }))
        .filter(({ to }) => roomOf(to) === source.room),
    ]),
  );
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { to, line } of edges.get(file) ?? []) {
      const start = path.indexOf(to);
      if (start >= 0) violations.push({ file, line, text: `cycle: ${[...path.slice(start), to].join(' → ')}` });
      else if (!finished.has(to)) visit(to);
    }
    path.pop();
    finished.add(file);
  };
  for (const file of edges.keys()) if (!finished.has(file)) visit(file);
  return violations;
}

function findRoomsWithoutDoor(tree: Tree): Violation[] {
  const rooms = new Set([...tree.keys()].filter((path) => /^src\/.*\.ts$/.test(path)).map(roomOf));
  return [...rooms]
    .filter((room) => room !== null && !tree.has(`src/${room}/index.ts`))
    .map((room) => ({ file: `src/${room}`, line: 1, text: 'a room without a door: index.ts is missing' }));
}

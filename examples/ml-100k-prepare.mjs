// Joins MovieLens 100K's ratings, users and films into one table a split, for the ml-100k-*.yaml configurations.
//
//   node examples/ml-100k-prepare.mjs FOLDER [OUTPUT]
//
// FOLDER holds either GroupLens' own files (u.data, u.user, u.item) or the RecBole form (ml-100k.inter, .user, .item); any of them may be
// gzipped. Rows keep their order, so rows 1 to 20,000 are the test part of GroupLens' fold u1 and the rest its base part.
// OUTPUT (default: the current folder) gets u1.base.tsv and u1.test.tsv.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const TEST_ROWS = 20_000;
const GENRES =
  "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western";

const [folder, output = '.'] = process.argv.slice(2);
if (folder === undefined) fail('usage: node ml-100k-prepare.mjs FOLDER [OUTPUT]');

const recbole = find('ml-100k.inter') !== null;
const ratings = recbole ? read('ml-100k.inter').slice(1).map(tabs) : read('u.data').map(tabs);
const users = recbole ? read('ml-100k.user').slice(1).map(tabs) : read('u.user').map((line) => line.split('|'));
const items = recbole ? read('ml-100k.item').slice(1).map(recboleItem) : read('u.item', 'latin1').map(groupLensItem);

const userById = new Map(users.map(([id, age, gender, occupation]) => [id, { age, gender, occupation }]));
const itemById = new Map(items.map((item) => [item.id, item]));
const header = 'user_id\titem_id\tage\tgender\toccupation\trelease_year\tfirst_genre\tgenres\trating\ttimestamp';
const rows = ratings.map(([userId, itemId, rating, timestamp], index) => {
  const user = userById.get(userId);
  const item = itemById.get(itemId);
  if (user === undefined || item === undefined) fail(`rating ${index + 1}: no user ${userId} or no film ${itemId} in ${folder}`);
  return [
    userId,
    itemId,
    user.age,
    user.gender,
    user.occupation,
    item.year,
    item.genres[0] ?? '',
    item.genres.join('|'),
    rating,
    timestamp,
  ].join('\t');
});
if (rows.length !== 100_000) fail(`${folder} has ${rows.length} ratings, MovieLens 100K has 100000`);

mkdirSync(output, { recursive: true });
write('u1.test.tsv', rows.slice(0, TEST_ROWS));
write('u1.base.tsv', rows.slice(TEST_ROWS));

function find(name) {
  return [name, `${name}.gz`].map((file) => join(folder, file)).find((path) => existsSync(path)) ?? null;
}

function read(name, encoding = 'utf8') {
  const path = find(name);
  if (path === null) fail(`${join(folder, name)}(.gz) does not exist`);
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString(encoding);
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function tabs(line) {
  return line.split('\t');
}

function recboleItem(line) {
  const [id, , year, genres = ''] = line.split('\t');
  return { id, year, genres: genres.split(' ').filter((genre) => genre !== '') };
}

/** u.item: id|title|release date|video release date|IMDb URL| 19 flags, one a genre. */
function groupLensItem(line) {
  const [id, , released = '', , , ...flags] = line.split('|');
  return { id, year: released.slice(-4), genres: GENRES.split(' ').filter((_, i) => flags[i] === '1') };
}

function write(name, lines) {
  const path = join(output, name);
  writeFileSync(path, `${header}\n${lines.join('\n')}\n`);
  process.stdout.write(`${path}: ${lines.length} rows\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

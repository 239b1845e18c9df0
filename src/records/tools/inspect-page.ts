// What inspection found, as one HTML file that needs nothing else.
import type { InspectResult } from './inspect.js';
import { figure, kindText, share } from './inspect-text.js';
import type { ColumnProfile } from './profile.js';

const MOST_BARS = 10;

const style = `
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;color:#1c2330;background:#fff}
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:0}.muted{color:#667085}ul.findings{margin:.4rem 0 1.4rem;padding-left:1.2rem;color:#475067}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:1rem}
section{border:1px solid #dde2ea;border-radius:8px;padding:.8rem 1rem;overflow:hidden}
.kind{float:right;font-size:.8rem;background:#eef2f8;border-radius:10px;padding:.05rem .55rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.05rem .8rem;margin:.5rem 0;font-size:.88rem}dt{color:#667085}dd{margin:0;overflow-wrap:anywhere}
.bar{display:grid;grid-template-columns:minmax(0,9rem) 1fr 3.6rem;gap:.5rem;align-items:center;font-size:.82rem}
.bar b{font-weight:400;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.bar i{display:block;height:.7rem;border-radius:3px;background:#4f7cd6}.bar span{text-align:right}
.missing{height:.4rem;border-radius:3px;background:#e5e9f0;margin:.3rem 0}.missing i{display:block;height:100%;border-radius:3px;background:#d97742}
table{border-collapse:collapse;width:100%;font-size:.88rem;margin-bottom:1.5rem}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #e5e9f0}
@media(prefers-color-scheme:dark){body{background:#14181f;color:#dfe5ee}section,th,td{border-color:#313947}.kind{background:#283040}.missing{background:#2a3140}}
`;

/** Text as it may stand anywhere in a page, attributes in double quotes included. */
export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (character) => names[character]).replaceAll(/\p{Cc}/gu, '\u{fffd}');
}

/** The page of `data inspect --html`. */
export function inspectPage(result: InspectResult): string {
  const { input, rows, columns } = result;
  const title = input.files.length === 1 ? input.files[0] : `${input.files[0]} and ${input.files.length - 1} more`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title><style>${style}</style></head><body>
<h1>${escapeHtml(title)}</h1><div class="muted">${rows} records, ${columns.length} columns</div>
<ul class="findings">${input.findings.map((finding) => `<li>${escapeHtml(finding)}</li>`).join('')}</ul>
${driftTable(result)}<div class="grid">${columns.map(card).join('\n')}</div>
</body></html>
`;
}

function card(profile: ColumnProfile): string {
  const facts: [string, string][] = [
    ['missing', share(profile.missing, profile.rows)],
    ['distinct', `${profile.topIsExact ? '' : 'about '}${figure(profile.distinct)}`],
  ];
  if (profile.mean !== null) {
    facts.push(
      ['range', `${figure(profile.min)} … ${figure(profile.max)}`],
      ['mean ± stddev', `${figure(profile.mean)} ± ${figure(profile.stddev)}`],
    );
    if (profile.quantiles !== null) facts.push(['5, 50, 95 %', [1, 3, 5].map((q) => figure(profile.quantiles?.[q] ?? null)).join(', ')]);
    if (profile.zeros > 0) facts.push(['zeros', share(profile.zeros, profile.values)]);
  }
  if (profile.lengths !== null)
    facts.push(['length', `${profile.lengths.min} to ${profile.lengths.max}, mean ${figure(profile.lengths.mean)}`]);
  if (profile.listLengths !== null)
    facts.push(['values a record', `${profile.listLengths.min} to ${profile.listLengths.max}, mean ${figure(profile.listLengths.mean)}`]);
  facts.push(['examples', profile.examples.slice(0, 4).join(' · ')]);
  const missing = profile.rows === 0 ? 0 : (100 * profile.missing) / profile.rows;
  return `<section><span class="kind">${kindText(profile)}</span><h2>${escapeHtml(profile.name)}</h2>
<div class="missing" title="missing"><i style="width:${missing.toFixed(2)}%"></i></div>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>
${bars(profile)}</section>`;
}

function bars({ top, values }: ColumnProfile): string {
  const most = top[0]?.count ?? 0;
  if (most < 2) return '';
  return top
    .slice(0, MOST_BARS)
    .map(
      ({ value, count }) =>
        `<div class="bar"><b title="${escapeHtml(value)}">${escapeHtml(value === '' ? '(empty)' : value)}</b><i style="width:${((100 * count) / most).toFixed(2)}%"></i><span>${share(count, values)}</span></div>`,
    )
    .join('\n');
}

function driftTable({ against }: InspectResult): string {
  if (against === null) return '';
  const rows = [...against.drift]
    .sort((a, b) => b.psi - a.psi)
    .map(
      ({ name, psi, missingBefore, missingAfter, newShare, newCategories }) =>
        `<tr><td>${escapeHtml(name)}</td><td>${psi.toFixed(3)}</td><td>${share(missingBefore, 1)} → ${share(missingAfter, 1)}</td><td>${share(newShare, 1)}</td><td>${escapeHtml(newCategories.join(', '))}</td></tr>`,
    );
  return `<table><tr><th>column</th><th>PSI</th><th>missing</th><th>new values</th><th>new categories</th></tr>${rows.join('')}</table>`;
}

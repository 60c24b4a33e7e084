/** An explanation as a page of its own: tokens in colours, light or dark as the reader has it. */
import type { Explanation } from './explain.ts';

/** A whole HTML document that loads nothing. Tokens that speak for the target are green, those against it red; the stronger, the more. */
export function explanationHtml(explanation: Explanation): string {
  const { method, tokens, target, value, baseline, convergence_delta } = explanation;
  const most = Math.max(...tokens.map(({ score }) => Math.abs(score)), Number.MIN_VALUE);
  const shown = tokens.map(({ token, score }) => {
    const strength = Math.round((100 * Math.abs(score)) / most);
    const side = score < 0 ? 'against' : 'for';
    return `<span class="${side}" style="--s:${strength}%" title="${score.toPrecision(3)}">${escaped(token)}</span>`;
  });
  const facts = [
    `logit ${value.toFixed(3)}`,
    ...(baseline === undefined ? [] : [`without the text ${baseline.toFixed(3)}`]),
    ...(convergence_delta === undefined ? [] : [`error of the sum ${convergence_delta.toExponential(1)}`]),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(target.label)}</title>
<style>
  :root { color-scheme: light dark; --for: light-dark(#7bd389, #1f7a3a); --against: light-dark(#f28b82, #9c2b23); }
  body { font: 1rem/1.9 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.2rem; } p.facts { opacity: .7; }
  span { padding: .1em .2em; margin: 0 .1em; border-radius: .25em; }
  .for { background: color-mix(in srgb, var(--for) var(--s), transparent); }
  .against { background: color-mix(in srgb, var(--against) var(--s), transparent); }
</style>
<h1>${escaped(target.label)}</h1>
<p class="facts">${escaped(method.replaceAll('_', ' '))}: ${escaped(facts.join(', '))}</p>
<p>${shown.join(' ')}</p>
</html>
`;
}

function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => names[character]!);
}

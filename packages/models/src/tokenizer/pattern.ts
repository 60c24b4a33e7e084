/**
 * The patterns of `tokenizer.json`, written for Oniguruma (https://github.com/kkos/oniguruma/blob/master/doc/RE), as regular expressions
 * of JavaScript. Only what is different is rewritten: classes that know all of Unicode, ignoring case in a part, possessive repetition.
 */
import { TokenizerError } from './errors.ts';

/** A pattern in `tokenizer.json`. */
export type PatternJson = { readonly String: string } | { readonly Regex: string };

/**
 * A global expression with the `u` flag.
 *
 * @throws {TokenizerError} when the pattern is none, or JavaScript has nothing like it.
 */
export function patternOf(json: unknown): RegExp {
  const { String: text, Regex: regex } = (json ?? {}) as { String?: unknown; Regex?: unknown };
  if (typeof text === 'string') return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gu');
  if (typeof regex !== 'string') {
    throw new TokenizerError(
      `A pattern in tokenizer.json should have a String or a Regex, but is ${JSON.stringify(json)}.`,
    );
  }
  try {
    return new RegExp(translate(regex), 'gu');
  } catch (cause) {
    throw new TokenizerError(`tokenizer.json has a pattern that JavaScript cannot run: ${regex}`, { cause });
  }
}

/** What stands for an escape within a class, and outside. */
const word = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const everywhere: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  S: '\\P{White_Space}',
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  a: '\\x07',
  e: '\\x1b',
};
const withinClass: Readonly<Record<string, string>> = { ...everywhere, h: '0-9a-fA-F', w: word, '-': '\\-' };
const outside: Readonly<Record<string, string>> = {
  ...everywhere,
  h: '[0-9a-fA-F]',
  w: `[${word}]`,
  W: `[^${word}]`,
  A: '(?<![^])',
  z: '(?![^])',
  Z: '(?=\\n?(?![^]))',
};
/** Letters beyond ASCII whose case is that of an ASCII letter. */
const kin: Readonly<Record<string, string>> = { k: '\u212a', s: '\u017f' };

const lexeme =
  /\\[pP]\{\^?\w+\}|\\x\{[0-9a-fA-F]+\}|\\[^]|\(\?<[=!]|\(\?[a-z]*[:)]|\(\?>|\(\?[=!]|\[\^?|\{\d+(?:,\d*)?\}|[*+?][+?]?|[^]/gu;

function translate(regex: string): string {
  const out: string[] = [];
  /** What is open: where it begins in `out`, whether case counted before it, and its name if there is no way back into it. */
  const groups: { start: number; ignoreCase: boolean; name: string | undefined }[] = [];
  let [ignoreCase, inClass] = [false, false];
  /** Where the last thing that can be repeated begins in `out`. */
  let atom = 0;
  let names = 0;
  // What a look ahead has seen is matched without a way back.
  const open = (name: string): string => `(?:(?=(?<${name}>`;
  const close = (name: string): string => `))\\k<${name}>)`;

  for (const [token] of regex.matchAll(lexeme)) {
    if (inClass) {
      if (token.startsWith('[')) throw new SyntaxError('a class within a class');
      inClass = token !== ']';
      out.push(token.startsWith('\\') ? escape(token, withinClass) : token);
    } else if (token.startsWith('[')) {
      inClass = true;
      atom = out.push(token) - 1;
    } else if (token.startsWith('(')) {
      const flags = /^\(\?([a-z]*)([:)])$/.exec(token);
      const name = token === '(?>' ? `p${names++}` : undefined;
      if (flags?.[2] !== ')') {
        groups.push({ start: out.length, ignoreCase, name });
        out.push(name ? open(name) : flags ? '(?:' : token);
      }
      ignoreCase ||= flags?.[1]?.includes('i') ?? false;
    } else if (token === ')') {
      const group = groups.pop();
      if (!group) throw new SyntaxError('a bracket too many');
      out.push(group.name ? close(group.name) : ')');
      ({ start: atom, ignoreCase } = group);
    } else if (/^[*+?]\+$/.test(token)) {
      const name = `p${names++}`;
      out.push(open(name) + out.splice(atom).join('') + token[0] + close(name));
    } else if (/^(?:[*+?]|\{\d)/.test(token)) {
      out.push(token);
    } else {
      atom = out.length;
      out.push(single(token, ignoreCase));
    }
  }
  return out.join('');
}

/** One character, or what stands for one. */
function single(token: string, ignoreCase: boolean): string {
  if (token.startsWith('\\')) return escape(token, outside);
  if (token === '.') return '[^\\n]';
  if (token === '^') return '(?<![^\\n])';
  if (token === '$') return '(?![^\\n])';
  if (ignoreCase && /^[a-z]$/i.test(token)) {
    const lower = token.toLowerCase();
    return `[${lower}${token.toUpperCase()}${kin[lower] ?? ''}]`;
  }
  return /^[{}\]/]$/.test(token) ? `\\${token}` : token;
}

function escape(token: string, known: Readonly<Record<string, string>>): string {
  const property = /^\\([pP])\{(\^?)(\w+)\}$/.exec(token);
  if (property) {
    const negated = (property[1] === 'P') !== (property[2] === '^');
    return `\\${negated ? 'P' : 'p'}{${propertyName(property[3]!)}}`;
  }
  if (token.startsWith('\\x{')) return `\\u${token.slice(2)}`;
  const letter = token.slice(1);
  return known[letter] ?? (/[\\^$.*+?()[\]{}|/a-zA-Z0-9]/.test(letter) ? token : letter);
}

/** JavaScript wants to be told that a name is one of a script. */
function propertyName(name: string): string {
  try {
    new RegExp(`\\p{${name}}`, 'u');
    return name;
  } catch {
    return `Script=${name.replace(/^(?:Is|In)/, '')}`;
  }
}

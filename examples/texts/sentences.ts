/** Cuts a text into paragraphs and a paragraph into sentences: by marks of the end, and words after which a full stop is none. */

/** The paragraphs of a text, each on one line; they are parted by empty lines. */
export function paragraphsOf(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/[\s\p{Cc}]+/gu, ' ').trim())
    .filter((paragraph) => paragraph !== '');
}

/** Titles, ranks, months and the like; a single capital is an initial. A number or a capital often follows them. */
const abbreviations = new Set(
  (
    'Mr Mrs Ms Messrs Dr St Sr Jr Rev Hon Prof Gen Col Maj Capt Lt Lieut Sgt Com Gov Sen Rep Pres Sec Supt ' +
    'No Nos Art Vol Ch Sect Stat pp vs viz etc cf ' +
    'Jan Feb Mar Apr Jun Jul Aug Sept Oct Nov Dec ' +
    'Conn Mass Penn Pa Va Md Ga Fla Ala Miss La Ark Tenn Ky Ind Ill Mich Wis Minn Mo Kan Neb Tex Cal Wash'
  ).split(' '),
);

/** An end of a sentence: the word before it, marks with what closes after them, and the next beginning. */
const end = /([\p{L}\p{N}]*)([.!?]["'”’)\]]*)\s+(?=["'“‘([]*[\p{Lu}\p{N}])/gu;

/** The sentences of a paragraph, in order; together they are all of it but for the spaces between. */
export function sentencesOf(paragraph: string): string[] {
  const sentences: string[] = [];
  let from = 0;
  for (const { 0: all, 1: word = '', 2: marks = '', index } of paragraph.matchAll(end)) {
    const isAbbreviation = marks === '.' && (abbreviations.has(word) || /^\p{Lu}$/u.test(word));
    if (isAbbreviation) continue;
    sentences.push(paragraph.slice(from, index + word.length + marks.length).trim());
    from = index + all.length;
  }
  const last = paragraph.slice(from).trim();
  return last === '' ? sentences : [...sentences, last];
}

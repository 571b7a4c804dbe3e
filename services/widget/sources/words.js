// The words of a block. The build fills in the capitals, from services/model/.

export const LINES = LINE_NAMES.split(",");

/** The lines of a block that names none. */
export const DEFAULT_LINES = DEFAULT_LINE_NAMES;

/** The lines of those who are there at once: no period, no unit. */
export const PEOPLE = PEOPLE_NAMES;

/** Those that are shown only above 0. */
export const ABOVE_ZERO = ABOVE_ZERO_NAMES;

/** Language → the labels of all lines, then HEADING and MOST_READ. */
export const WORDS = { vi: WORDS_VI.split(","), en: WORDS_EN.split(",") };

/** Another counter → its lines, the Vietnamese labels in which it differs, its gap. */
export const WORDINGS = JSON.parse(WORDINGS_JSON);

/** The drawing of each line: what a path draws on a square of 24. */
export const ICONS = JSON.parse(ICONS_JSON);

export const TOTAL = LINES.indexOf("total");
export const HEADING = LINES.length;
export const MOST_READ = HEADING + 1;

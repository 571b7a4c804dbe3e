// The words of a block. The build fills in the capitals, from services/model/.

export const LINES = LINE_NAMES.split(",");

/** The lines of a block that names none. */
export const DEFAULT_LINES = DEFAULT_LINE_NAMES;

/** Language → the labels of all lines, then HEADING and MOST_READ. */
export const WORDS = { vi: WORDS_VI.split(","), en: WORDS_EN.split(",") };

export const TOTAL = LINES.indexOf("total");
export const HEADING = LINES.length;
export const MOST_READ = HEADING + 1;

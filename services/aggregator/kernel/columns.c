/* The columns of raw hits as ClickHouse takes them in its native format. */

#include "kernel.h"

/* Columns that are no texts, after those. */
enum { AT = TEXTS, DAY, VISITOR, VISIT, BOT, POSITION, INDEX, VIEW_ID, COLUMNS };
enum { PLAIN, CODED };

/* A run, and the days of it that are asked for. */
typedef struct { run **runs; uint32_t count; uint32_t from_day, to_day; } chosen;

static int is_chosen(const chosen *of, const run *in, uint32_t hit) {
    return in->day[hit] >= of->from_day && in->day[hit] < of->to_day;
}

EXPORT uint64_t luot_count(run **runs, uint32_t count, uint32_t from_day, uint32_t to_day) {
    const chosen of = {runs, count, from_day, to_day};
    uint64_t hits = 0;
    for (uint32_t index = 0; index < count; index++)
        for (uint32_t hit = 0; hit < runs[index]->hits; hit++)
            hits += is_chosen(&of, runs[index], hit);
    return hits;
}

/* Tell the first and the last day of a run's hits; return whether there are any. */
EXPORT int luot_days(const run *of, uint32_t *days) {
    days[0] = UINT32_MAX;
    days[1] = 0;
    for (uint32_t hit = 0; hit < of->hits; hit++) {
        if (of->day[hit] < days[0]) days[0] = of->day[hit];
        if (of->day[hit] > days[1]) days[1] = of->day[hit];
    }
    return of->hits > 0;
}

#define ALL_HITS(work)                                                    \
    for (uint32_t index = 0; index < of->count; index++) {                \
        const run *in = of->runs[index];                                  \
        for (uint32_t hit = 0; hit < in->hits; hit++)                     \
            if (is_chosen(of, in, hit)) work                              \
    }

#define PUT(values) ALL_HITS({ if (buffer_put(to, (values) + hit, sizeof *(values))) return NO_MEMORY; })

static int number_column(const chosen *of, int column, buffer *to) {
    switch (column) {
    case AT: PUT(in->at); break;
    case DAY: PUT(in->day); break;
    case VISITOR: PUT(in->visitor); break;
    case VISIT: PUT(in->visit); break;
    case BOT: PUT(in->bot); break;
    case POSITION: PUT(in->position); break;
    case VIEW_ID: PUT(in->view_id); break;
    case INDEX:
        /* Of a hit in its entry, without repetitions. */
        for (uint32_t index = 0; index < of->count; index++) {
            const run *in = of->runs[index];
            for (uint32_t number = 0; number < in->entry_count; number++)
                for (uint16_t hit = 0; hit < in->entries[number].hits; hit++)
                    if (is_chosen(of, in, in->entries[number].first + hit) &&
                        buffer_put(to, &hit, sizeof hit))
                        return NO_MEMORY;
        }
        break;
    default: return REFUSED;
    }
    return 0;
}

static int plain_column(const chosen *of, int column, buffer *to) {
    ALL_HITS({
        const text *one = in->texts.list + (in->text[column] ? in->text[column][hit] : 0);
        if (buffer_varint(to, one->length) ||
            buffer_put(to, in->texts.bytes + one->at, one->length))
            return NO_MEMORY;
    })
    return 0;
}

/* Number the texts of a column over all runs. */
static int number_texts(const chosen *of, int column, texts *all, buffer *numbers) {
    for (uint32_t index = 0; index < of->count; index++) {
        const run *in = of->runs[index];
        uint32_t *known = malloc((in->texts.count + 1) * sizeof *known);
        if (!known) return NO_MEMORY;
        memset(known, 0xFF, in->texts.count * sizeof *known);
        int failed = 0;
        for (uint32_t hit = 0; hit < in->hits && !failed; hit++) {
            if (!is_chosen(of, in, hit)) continue;
            uint32_t own = in->text[column] ? in->text[column][hit] : 0;
            if (known[own] == UINT32_MAX) {
                const text *one = in->texts.list + own;
                int64_t number = texts_number_hashed(
                    all, in->texts.bytes + one->at, one->length, one->hash);
                if (number < 0) failed = NO_MEMORY;
                else known[own] = (uint32_t)number;
            }
            if (!failed) failed = buffer_put(numbers, known + own, sizeof *known);
        }
        free(known);
        if (failed) return failed;
    }
    return 0;
}

/* A column of LowCardinality(String): its distinct texts, and the index of each value. */
static int coded_column(const chosen *of, int column, uint64_t flags, buffer *to) {
    texts all;
    buffer numbers = {NULL, 0, 0};
    int failed = texts_init(&all);
    if (!failed) failed = number_texts(of, column, &all, &numbers);
    uint64_t hits = numbers.size / sizeof(uint32_t), distinct = all.count;
    int width = distinct <= 1u << 8 ? 0 : distinct <= 1u << 16 ? 1 : 2;
    flags |= width;
    if (!failed) failed = buffer_put(to, &flags, 8) || buffer_put(to, &distinct, 8);
    for (uint32_t number = 0; number < all.count && !failed; number++) {
        const text *one = all.list + number;
        failed = buffer_varint(to, one->length) || buffer_put(to, all.bytes + one->at, one->length);
    }
    if (!failed) failed = buffer_put(to, &hits, 8);
    for (uint64_t hit = 0; hit < hits && !failed; hit++)
        failed = buffer_put(to, (uint32_t *)numbers.at + hit, (size_t)1 << width);
    free(numbers.at);
    texts_free(&all);
    return failed ? NO_MEMORY : 0;
}

/* Write one column of the hits of some days, from_day <= day < to_day; the bytes are the caller's.

   Unlike everything else, this may run in any thread: it only reads. */
EXPORT int64_t luot_column(
    run **runs, uint32_t count, uint32_t from_day, uint32_t to_day, int column, int how,
    uint64_t flags, uint8_t **bytes
) {
    const chosen of = {runs, count, from_day, to_day};
    buffer to = {NULL, 0, 0};
    int failed;
    if (column < 0 || column >= COLUMNS || (column >= TEXTS && how != PLAIN)) return REFUSED;
    if (column >= TEXTS) failed = number_column(&of, column, &to);
    else if (how == CODED) failed = coded_column(&of, column, flags, &to);
    else failed = plain_column(&of, column, &to);
    if (failed) {
        free(to.at);
        return failed;
    }
    *bytes = to.at;
    return (int64_t)to.size;
}

/* Write the (position, time, hits) of each entry; return how many there are. */
EXPORT uint32_t luot_entries(const run *of, int64_t *into) {
    for (uint32_t index = 0; into && index < of->entry_count; index++) {
        const entry *one = of->entries + index;
        int64_t values[3] = {one->position, one->time, one->hits};
        memcpy(into + 3 * index, values, sizeof values);
    }
    return of->entry_count;
}

EXPORT uint32_t luot_hits(const run *of) { return of->hits; }
EXPORT uint32_t luot_repeated(const run *of) { return of->repeated; }

/* The numbers of the texts of a column; NULL where all are empty. */
EXPORT const uint32_t *luot_text_numbers(const run *of, int column) { return of->text[column]; }

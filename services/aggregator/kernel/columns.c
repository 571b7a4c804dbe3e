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

/* Room for so many more bytes, which the caller writes; NULL without memory. */
static uint8_t *room_for(buffer *to, uint64_t size) {
    if (buffer_room(to, size)) return NULL;
    to->size += size;
    return to->at + to->size - size;
}

#define ALL_HITS(work)                                                    \
    for (uint32_t index = 0; index < of->count; index++) {                \
        const run *in = of->runs[index];                                  \
        for (uint32_t hit = 0; hit < in->hits; hit++)                     \
            if (is_chosen(of, in, hit)) work                              \
    }

#define VALUES(column)                                                          \
    do {                                                                        \
        const size_t size_ = sizeof *of->runs[0]->column;                       \
        uint8_t *next_ = room_for(to, hits * size_);                            \
        if (!next_) return NO_MEMORY;                                           \
        ALL_HITS({ memcpy(next_, in->column + hit, size_); next_ += size_; })   \
        return 0;                                                               \
    } while (0)

static int number_column(const chosen *of, int column, uint64_t hits, buffer *to) {
    uint8_t *next;
    switch (column) {
    case AT: VALUES(at);
    case DAY: VALUES(day);
    case VISITOR: VALUES(visitor);
    case VISIT: VALUES(visit);
    case BOT: VALUES(bot);
    case POSITION: VALUES(position);
    case VIEW_ID: VALUES(view_id);
    case INDEX:
        /* Of a hit in its entry, without repetitions. */
        if (!(next = room_for(to, hits * sizeof(uint16_t)))) return NO_MEMORY;
        for (uint32_t index = 0; index < of->count; index++) {
            const run *in = of->runs[index];
            for (uint32_t number = 0; number < in->entry_count; number++)
                for (uint16_t hit = 0; hit < in->entries[number].hits; hit++)
                    if (is_chosen(of, in, in->entries[number].first + hit)) {
                        memcpy(next, &hit, sizeof hit);
                        next += sizeof hit;
                    }
        }
        return 0;
    default: return REFUSED;
    }
}

static int plain_column(const chosen *of, int column, uint64_t hits, buffer *to) {
    if (buffer_room(to, hits)) return NO_MEMORY;
    ALL_HITS({
        const text *one = in->texts.list + (in->text[column] ? in->text[column][hit] : 0);
        if (buffer_varint(to, one->length) ||
            buffer_put(to, in->texts.bytes + one->at, one->length))
            return NO_MEMORY;
    })
    return 0;
}

/* Number the texts of a column over all runs. */
static int number_texts(const chosen *of, int column, texts *all, uint32_t *numbers) {
    for (uint32_t index = 0; index < of->count; index++) {
        const run *in = of->runs[index];
        const uint32_t *own = in->text[column];
        uint32_t *known = calloc(in->texts.count, sizeof *known);
        if (!known) return NO_MEMORY;
        for (uint32_t hit = 0; hit < in->hits; hit++) {
            if (!is_chosen(of, in, hit)) continue;
            uint32_t name = own ? own[hit] : 0;
            /* The empty text has number 0 everywhere; others wait to be numbered. */
            if (name && !known[name]) {
                const text *one = in->texts.list + name;
                int64_t number = texts_number_hashed(
                    all, in->texts.bytes + one->at, one->length, one->hash);
                if (number < 0) {
                    free(known);
                    return NO_MEMORY;
                }
                known[name] = (uint32_t)number;
            }
            *numbers++ = known[name];
        }
        free(known);
    }
    return 0;
}

#define NARROWED(type)                                                       \
    for (uint64_t hit = 0; hit < hits; hit++) {                              \
        type number = (type)numbers[hit];                                    \
        memcpy(next + hit * sizeof number, &number, sizeof number);          \
    }

/* A column of LowCardinality(String): its distinct texts, and the index of each value. */
static int put_coded(
    const texts *all, const uint32_t *numbers, uint64_t hits, uint64_t flags, buffer *to
) {
    uint64_t distinct = all->count;
    int width = distinct <= 1u << 8 ? 0 : distinct <= 1u << 16 ? 1 : 2;
    flags |= width;
    if (buffer_put(to, &flags, 8) || buffer_put(to, &distinct, 8)) return NO_MEMORY;
    for (uint32_t number = 0; number < all->count; number++) {
        const text *one = all->list + number;
        if (buffer_varint(to, one->length) || buffer_put(to, all->bytes + one->at, one->length))
            return NO_MEMORY;
    }
    if (buffer_put(to, &hits, 8)) return NO_MEMORY;
    uint8_t *next = room_for(to, hits << width);
    if (!next) return NO_MEMORY;
    if (width == 0) NARROWED(uint8_t)
    else if (width == 1) NARROWED(uint16_t)
    else NARROWED(uint32_t)
    return 0;
}

static int coded_column(const chosen *of, int column, uint64_t hits, uint64_t flags, buffer *to) {
    texts all;
    uint32_t *numbers = malloc((hits + 1) * sizeof *numbers);
    int failed = texts_init(&all) || !numbers;
    if (!failed) failed = number_texts(of, column, &all, numbers);
    if (!failed) failed = put_coded(&all, numbers, hits, flags, to);
    free(numbers);
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
    const uint64_t hits = luot_count(runs, count, from_day, to_day);
    if (column < 0 || column >= COLUMNS || (column >= TEXTS && how != PLAIN)) return REFUSED;
    if (column >= TEXTS) failed = number_column(&of, column, hits, &to);
    else if (how == CODED) failed = coded_column(&of, column, hits, flags, &to);
    else failed = plain_column(&of, column, hits, &to);
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

/* Batches (services/log/batch.py) into the columns of a run.

   What is written any other way than msgspec writes it is refused, and left to the Python decoder:
   so nothing is taken here that is refused there. */

#include "kernel.h"

enum { LEAST_COLUMNS = 15, MOST_COLUMNS = 23, MOST_HITS = 500 };
#define MOST_BYTES (4u << 20)
#define MOST_AT (((int64_t)1 << 42) - 1)

typedef struct { const uint8_t *at, *end; } input;

static int big_endian(input *from, int bytes, uint64_t *number) {
    if (from->end - from->at < bytes) return REFUSED;
    uint64_t of = 0;
    for (int byte = 0; byte < bytes; byte++) of = of << 8 | from->at[byte];
    from->at += bytes;
    *number = of;
    return 0;
}

static inline int natural(input *from, uint64_t *number) {
    if (from->at >= from->end) return REFUSED;
    uint8_t first = *from->at++;
    if (first < 0x80) {
        *number = first;
        return 0;
    }
    if (first < 0xCC || first > 0xCF) return REFUSED;
    return big_endian(from, 1 << (first - 0xCC), number);
}

static inline int whole(input *from, int64_t *number) {
    if (from->at >= from->end) return REFUSED;
    uint8_t first = *from->at;
    uint64_t of;
    if (first >= 0xE0) {
        from->at++;
        *number = (int8_t)first;
        return 0;
    }
    if (first >= 0xD0 && first <= 0xD3) {
        from->at++;
        int bytes = 1 << (first - 0xD0);
        if (big_endian(from, bytes, &of)) return REFUSED;
        *number = (int64_t)(of << (64 - 8 * bytes)) >> (64 - 8 * bytes);
        return 0;
    }
    if (natural(from, &of) || of > (uint64_t)1 << 62) return REFUSED;
    *number = (int64_t)of;
    return 0;
}

static int array(input *from, uint32_t *length) {
    if (from->at >= from->end) return REFUSED;
    uint8_t first = *from->at++;
    uint64_t of;
    if (first >= 0x90 && first <= 0x9F) of = first & 15;
    else if (first != 0xDC && first != 0xDD) return REFUSED;
    else if (big_endian(from, first == 0xDC ? 2 : 4, &of)) return REFUSED;
    *length = (uint32_t)of;
    return 0;
}

static int string(input *from, text *of, const uint8_t *begin) {
    if (from->at >= from->end) return REFUSED;
    uint8_t first = *from->at++;
    uint64_t length;
    if (first >= 0xA0 && first <= 0xBF) length = first & 31;
    else if (first < 0xD9 || first > 0xDB) return REFUSED;
    else if (big_endian(from, 1 << (first - 0xD9), &length)) return REFUSED;
    if ((uint64_t)(from->end - from->at) < length || !is_utf8(from->at, length)) return REFUSED;
    of->at = from->at - begin;
    of->length = (uint32_t)length;
    from->at += length;
    return 0;
}

/* A payload while it is read: its texts, and the number that each has in the run, or -1. */
typedef struct {
    input in;
    const uint8_t *begin;
    uint32_t hits, strings;
    text *string;
    int64_t *number;
} reading;

/* Read the column of a text; may_be_empty tells of the column, not of its texts. */
static int text_column(reading *from, run *to, int name, int may_be_empty, int may_be_blank) {
    uint32_t length;
    if (array(&from->in, &length)) return REFUSED;
    if (length != from->hits && !(may_be_empty && !length)) return REFUSED;
    uint32_t *column = to->text[name];
    if (!length) {
        if (column) memset(column + to->hits, 0, from->hits * sizeof *column);
        return 0;
    }
    uint32_t any = 0, local[MOST_HITS];
    for (uint32_t hit = 0; hit < length; hit++) {
        uint64_t index;
        if (natural(&from->in, &index) || index >= from->strings) return REFUSED;
        int64_t number = from->number[index];
        if (number < 0) {
            const text *of = &from->string[index];
            number = texts_number(&to->texts, from->begin + of->at, of->length);
            if (number < 0) return (int)number;
            from->number[index] = number;
        }
        if (!number && !may_be_blank) return REFUSED;
        local[hit] = (uint32_t)number;
        any |= (uint32_t)number;
    }
    if (!column) {
        if (!any) return 0;
        column = to->text[name] = calloc(to->room, sizeof *column);
        if (!column) return NO_MEMORY;
    }
    memcpy(column + to->hits, local, length * sizeof *local);
    return 0;
}

#define NUMBERS(into, most)                                        \
    do {                                                           \
        uint32_t length_;                                          \
        uint64_t number_;                                          \
        if (array(&from->in, &length_) || length_ != from->hits) return REFUSED; \
        for (uint32_t hit = 0; hit < length_; hit++) {             \
            if (natural(&from->in, &number_) || number_ > (most)) return REFUSED; \
            (into)[hit] = number_;                                 \
        }                                                          \
    } while (0)

static int columns(reading *from, run *to, int64_t base, uint32_t given) {
    int failed;
    uint32_t length;
    if ((failed = text_column(from, to, SITE, 0, 0))) return failed;
    if ((failed = text_column(from, to, PATH, 0, 0))) return failed;
    if (array(&from->in, &length) || length != from->hits) return REFUSED;
    for (uint32_t hit = 0; hit < length; hit++) {
        int64_t after;
        if (whole(&from->in, &after)) return REFUSED;
        if (after > MOST_AT * 2 || after < -MOST_AT * 2) return REFUSED;
        int64_t at = base + after;
        if (at < 0 || at > MOST_AT) return REFUSED;
        to->at[to->hits + hit] = at;
    }
    NUMBERS(to->day + to->hits, 0xFFFFu);
    NUMBERS(to->visitor + to->hits, UINT64_MAX);
    NUMBERS(to->visit + to->hits, (uint64_t)CONTINUES);
    NUMBERS(to->bot + to->hits, 1u);
    for (int name = HOST; name <= COUNTRY; name++)
        if ((failed = text_column(from, to, name, 0, 1))) return failed;
    memset(to->view_id + to->hits, 0, from->hits * sizeof *to->view_id);
    int any = 0;
    if (given > LEAST_COLUMNS) {
        if (array(&from->in, &length) || (length && length != from->hits)) return REFUSED;
        for (uint32_t hit = 0; hit < length; hit++) {
            uint64_t number;
            if (natural(&from->in, &number)) return REFUSED;
            to->view_id[to->hits + hit] = number;
            any |= number != 0;
        }
    }
    for (int name = OWN_PATH; name <= REGION; name++) {
        if (given > (uint32_t)(LEAST_COLUMNS + 1 + name - OWN_PATH)) {
            if ((failed = text_column(from, to, name, 1, 1))) return failed;
        } else if (to->text[name])
            memset(to->text[name] + to->hits, 0, from->hits * sizeof *to->text[name]);
    }
    if (from->in.at != from->in.end) return REFUSED;
    to->any_view_id |= any;
    return 0;
}

#define GROW(what)                                                          \
    do {                                                                    \
        void *grown_ = realloc(of->what, (size_t)room * sizeof *of->what);  \
        if (!grown_) return NO_MEMORY;                                      \
        of->what = grown_;                                                  \
    } while (0)

static int make_room(run *of, uint32_t hits) {
    if (of->hits + hits > of->room) {
        uint32_t room = (of->hits + hits) * 2;
        GROW(at);
        GROW(position);
        GROW(visitor);
        GROW(view_id);
        GROW(ago);
        GROW(day);
        GROW(visit);
        GROW(bot);
        for (int name = 0; name < TEXTS; name++)
            if (of->text[name]) GROW(text[name]);
        of->room = room;
    }
    if (of->entry_count == of->entry_room) {
        uint32_t room = of->entry_room ? of->entry_room * 2 : 16;
        GROW(entries);
        of->entry_room = room;
    }
    return 0;
}

static int read_batch(reading *from, run *to, uint32_t announced) {
    uint32_t given, sites;
    int64_t base;
    if (array(&from->in, &given) || given < LEAST_COLUMNS || given > MOST_COLUMNS) return REFUSED;
    if (whole(&from->in, &base) || base > MOST_AT * 2 || base < -MOST_AT * 2) return REFUSED;
    if (array(&from->in, &from->strings)) return REFUSED;
    /* Each takes a byte at least. */
    if (from->strings > (uint64_t)(from->in.end - from->in.at)) return REFUSED;
    from->string = malloc((from->strings + 1) * sizeof *from->string);
    from->number = malloc((from->strings + 1) * sizeof *from->number);
    if (!from->string || !from->number) return NO_MEMORY;
    for (uint32_t index = 0; index < from->strings; index++) {
        if (string(&from->in, &from->string[index], from->begin)) return REFUSED;
        from->number[index] = -1;
    }
    input here = from->in;
    if (array(&here, &sites) || sites < 1 || sites > MOST_HITS || sites != announced)
        return REFUSED;
    from->hits = sites;
    if (make_room(to, sites)) return NO_MEMORY;
    return columns(from, to, base, given);
}

/* Add an entry; return its hits. The run is as before where it is refused. */
EXPORT int32_t luot_add(
    run *to, int64_t position, int64_t time, const uint8_t *payload, size_t size, uint32_t hits
) {
    if (size > MOST_BYTES) return REFUSED;
    reading from = {{payload, payload + size}, payload, 0, 0, NULL, NULL};
    int failed = read_batch(&from, to, hits);
    free(from.string);
    free(from.number);
    if (failed) return failed;
    for (uint32_t hit = to->hits; hit < to->hits + hits; hit++) to->position[hit] = position;
    to->entries[to->entry_count++] = (entry){position, time, to->hits, hits};
    to->hits += hits;
    return (int32_t)hits;
}

EXPORT run *luot_run(void) {
    run *of = calloc(1, sizeof *of);
    if (!of) return NULL;
    if (texts_init(&of->texts)) {
        texts_free(&of->texts);
        free(of);
        return NULL;
    }
    return of;
}

EXPORT void luot_end_run(run *of) {
    texts_free(&of->texts);
    for (int name = 0; name < TEXTS; name++) free(of->text[name]);
    free(of->at);
    free(of->position);
    free(of->visitor);
    free(of->view_id);
    free(of->ago);
    free(of->day);
    free(of->visit);
    free(of->bot);
    free(of->entries);
    free(of->pages);
    free(of);
}

/* What runs add to the counters: by run, and by flush. */

#include "kernel.h"

/* Drop the hits that are not kept: repetitions. */
int run_keep(run *of, const uint8_t *kept) {
    uint32_t to = 0;
    for (uint32_t index = 0; index < of->entry_count; index++) {
        entry *in = of->entries + index;
        uint32_t first = to;
        for (uint32_t hit = in->first; hit < in->first + in->hits; hit++) {
            if (!kept[hit]) continue;
            if (to != hit) {
                for (int name = 0; name < TEXTS; name++)
                    if (of->text[name]) of->text[name][to] = of->text[name][hit];
                of->at[to] = of->at[hit];
                of->position[to] = of->position[hit];
                of->visitor[to] = of->visitor[hit];
                of->view_id[to] = of->view_id[hit];
                of->day[to] = of->day[hit];
                of->visit[to] = of->visit[hit];
                of->bot[to] = of->bot[hit];
            }
            to++;
        }
        in->first = first;
        in->hits = to - first;
    }
    of->repeated += of->hits - to;
    of->hits = to;
    return 0;
}

/* Distinct pages with an index: number + 1, or 0. */
typedef struct { page *list; uint32_t count, room, *slots, mask; } pages;

static int pages_init(pages *of, uint32_t expected) {
    memset(of, 0, sizeof *of);
    of->mask = 63;
    while (of->mask < expected) of->mask = of->mask * 2 + 1;
    of->slots = calloc((size_t)of->mask + 1, sizeof *of->slots);
    return of->slots ? 0 : NO_MEMORY;
}

/* Return the page of that name, made where it is missing; NULL without memory. */
static page *pages_find(pages *of, uint64_t hash, uint32_t site, uint32_t path, uint32_t day) {
    if (of->count > of->mask / 2 &&
        slots_grow(&of->slots, &of->mask, of->list, sizeof *of->list, of->count))
        return NULL;
    uint32_t place = (uint32_t)hash & of->mask;
    for (uint32_t found; (found = of->slots[place]); place = (place + 1) & of->mask) {
        page *one = of->list + found - 1;
        if (one->hash == hash && one->site == site && one->path == path && one->day == day)
            return one;
    }
    if (of->count == of->room) {
        uint32_t room = of->room ? of->room * 2 : 64;
        page *list = realloc(of->list, room * sizeof *list);
        if (!list) return NULL;
        of->list = list;
        of->room = room;
    }
    of->list[of->count] = (page){hash, site, path, day, 0, 0, -1};
    of->slots[place] = ++of->count;
    return of->list + of->count - 1;
}

/* Count views and visits of each page of a run. */
int run_count_pages(run *of) {
    pages found;
    if (pages_init(&found, of->hits)) return NO_MEMORY;
    for (uint32_t hit = 0; hit < of->hits; hit++) {
        if (of->bot[hit]) continue;
        uint32_t site = of->text[SITE][hit], path = of->text[PATH][hit], day = of->day[hit];
        uint64_t hash =
            mixed(of->texts.list[site].hash + day, of->texts.list[path].hash);
        page *one = pages_find(&found, hash, site, path, day);
        if (!one) {
            free(found.slots);
            free(found.list);
            return NO_MEMORY;
        }
        one->views++;
        one->visits += of->visit[hit] == STARTS;
        one->end = of->position[hit];
    }
    free(found.slots);
    of->pages = found.list;
    of->page_count = found.count;
    return 0;
}

/* The pages of all runs of one partition, in their order. */
typedef struct {
    texts texts;
    pages pages;
    int64_t *first; /* of each page: the first position of the first run that has it */
    uint32_t first_room;
} summed;

static int sum_run(summed *into, const run *of) {
    uint32_t *known = malloc((of->texts.count + 1) * sizeof *known);
    if (!known) return NO_MEMORY;
    memset(known, 0xFF, of->texts.count * sizeof *known);
    int failed = 0;
    for (uint32_t index = 0; index < of->page_count && !failed; index++) {
        const page *add = of->pages + index;
        const uint32_t named[2] = {add->site, add->path};
        for (int which = 0; which < 2; which++) {
            const text *name = of->texts.list + named[which];
            if (known[named[which]] != UINT32_MAX) continue;
            int64_t number = texts_number_hashed(
                &into->texts, of->texts.bytes + name->at, name->length, name->hash);
            if (number < 0) failed = NO_MEMORY;
            else known[named[which]] = (uint32_t)number;
        }
        if (failed) break;
        uint32_t before = into->pages.count;
        page *one =
            pages_find(&into->pages, add->hash, known[add->site], known[add->path], add->day);
        if (!one) {
            failed = NO_MEMORY;
            break;
        }
        if (into->pages.count > into->first_room) {
            int64_t *first = realloc(into->first, into->pages.room * sizeof *first);
            if (!first) {
                failed = NO_MEMORY;
                break;
            }
            into->first = first;
            into->first_room = into->pages.room;
        }
        if (into->pages.count > before) into->first[before] = of->entries[0].position;
        one->views += add->views;
        one->visits += add->visits;
        one->end = add->end;
    }
    free(known);
    return failed;
}

EXPORT void luot_end_sum(summed *of) {
    texts_free(&of->texts);
    free(of->pages.list);
    free(of->pages.slots);
    free(of->first);
    free(of);
}

/* Sum the pages of runs; NULL without memory. */
EXPORT summed *luot_sum(run **runs, uint32_t count) {
    summed *of = calloc(1, sizeof *of);
    if (!of) return NULL;
    int failed = texts_init(&of->texts) || pages_init(&of->pages, 64);
    for (uint32_t index = 0; index < count && !failed; index++) failed = sum_run(of, runs[index]);
    if (!failed) return of;
    luot_end_sum(of);
    return NULL;
}

/* Write (site, path, day, views, visits, first, end) of each page; see luot_sum_texts. */
EXPORT uint32_t luot_sums(const summed *of, int64_t *into) {
    for (uint32_t index = 0; into && index < of->pages.count; index++) {
        const page *one = of->pages.list + index;
        int64_t values[7] = {
            one->site, one->path, one->day, one->views, one->visits, of->first[index], one->end};
        memcpy(into + 7 * index, values, sizeof values);
    }
    return of->pages.count;
}

/* The texts of a sum or of a run: where each begins in the bytes, and their end. */
static const uint8_t *texts_of(const texts *of, uint64_t *begins) {
    for (uint32_t number = 0; number < of->count; number++) begins[number] = of->list[number].at;
    begins[of->count] = of->size;
    return of->bytes;
}

EXPORT uint32_t luot_sum_text_count(const summed *of) { return of->texts.count; }
EXPORT const uint8_t *luot_sum_texts(const summed *of, uint64_t *begins) {
    return texts_of(&of->texts, begins);
}
EXPORT uint32_t luot_text_count(const run *of) { return of->texts.count; }
EXPORT const uint8_t *luot_texts_at(const run *of, uint64_t *begins) {
    return texts_of(&of->texts, begins);
}

/* Write a name of each page that is the same in all runs; return how many there are. */
EXPORT uint32_t luot_page_names(const run *of, uint64_t *into) {
    for (uint32_t index = 0; into && index < of->page_count; index++)
        into[index] = of->pages[index].hash;
    return of->page_count;
}

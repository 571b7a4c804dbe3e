/* What a run adds to the counters, by page. */

#include "state.h"

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

uint64_t page_hash(const text *site, const text *path, uint32_t day) {
    return mixed(site->hash + day, path->hash);
}

int pages_init(pages *of, uint32_t expected) {
    memset(of, 0, sizeof *of);
    of->mask = 63;
    while (of->mask < expected) of->mask = of->mask * 2 + 1;
    of->slots = calloc((size_t)of->mask + 1, sizeof *of->slots);
    return of->slots ? 0 : NO_MEMORY;
}

/* Return the page of that name, made where it is missing; NULL without memory. */
page *pages_find(pages *of, uint64_t hash, uint32_t site, uint32_t path, uint32_t day) {
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
    of->list[of->count] = (page){hash, site, path, day, 0, 0, INT64_MAX, -1};
    of->slots[place] = ++of->count;
    return of->list + of->count - 1;
}

void pages_free(pages *of) {
    free(of->list);
    free(of->slots);
}

/* Count views and visits of each page of a run. */
int run_count_pages(run *of) {
    pages found;
    if (pages_init(&found, of->hits)) return NO_MEMORY;
    for (uint32_t hit = 0; hit < of->hits; hit++) {
        if (of->bot[hit]) continue;
        uint32_t site = of->text[SITE][hit], path = of->text[PATH][hit], day = of->day[hit];
        uint64_t hash = page_hash(of->texts.list + site, of->texts.list + path, day);
        page *one = pages_find(&found, hash, site, path, day);
        if (!one) {
            pages_free(&found);
            return NO_MEMORY;
        }
        one->views++;
        one->visits += of->visit[hit] == STARTS;
        one->first = of->entries[0].position;
        one->end = of->position[hit];
    }
    free(found.slots);
    of->pages = found.list;
    of->page_count = found.count;
    return 0;
}

EXPORT uint32_t luot_text_count(const run *of) { return of->texts.count; }

/* The texts of a run: where each begins in the bytes, and their end. */
EXPORT const uint8_t *luot_texts_at(const run *of, uint64_t *begins) {
    for (uint32_t number = 0; number < of->texts.count; number++)
        begins[number] = of->texts.list[number].at;
    begins[of->texts.count] = of->texts.size;
    return of->texts.bytes;
}

/* Distinct pages of several runs, by their hashes. */
EXPORT numbers *luot_page_set(void) { return calloc(1, sizeof(numbers)); }

EXPORT void luot_end_page_set(numbers *of) {
    free(of->places);
    free(of);
}

/* Add the pages of a run; return how many there are. */
EXPORT int64_t luot_add_pages(numbers *to, const run *of) {
    for (uint32_t index = 0; index < of->page_count; index++)
        if (numbers_add(to, of->pages[index].hash | 1) < 0) return NO_MEMORY;
    return (int64_t)to->used;
}

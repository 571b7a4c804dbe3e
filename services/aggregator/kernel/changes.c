/* What the runs of a flush change: pages, whole sites, and the rows of all their periods. */

#include "rows.h"

/* The first days of the periods that a day is in, as period_start of the calendar has them. Years
   begin in March here, so that the day that some have more is their last: see Howard Hinnant,
   "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
static void periods_of(uint32_t day, uint16_t starts[GRAINS]) {
    uint32_t since = day + 719468, era = since / 146097, of_era = since % 146097;
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * of_year + 2) / 153, of_month = of_year - (153 * month + 2) / 5;
    year += era * 400;
    uint32_t is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    starts[BY_DAY] = (uint16_t)day;
    starts[BY_MONTH] = (uint16_t)(day - of_month);
    starts[BY_YEAR] = (uint16_t)(month < 10 ? day - of_year - 59 - is_leap : day - of_year + 306);
    starts[IN_ALL] = 0;
}

/* Number the site and the path of a page of a run as the flush has them. */
static int number_page(changes *into, const run *of, uint32_t *known, const page *add) {
    const uint32_t named[2] = {add->site, add->path};
    for (int which = 0; which < 2; which++) {
        if (known[named[which]]) continue;
        const text *name = of->texts.list + named[which];
        int64_t number = texts_number_hashed(
            &into->texts, of->texts.bytes + name->at, name->length, name->hash);
        if (number < 0) return NO_MEMORY;
        known[named[which]] = (uint32_t)number;
    }
    return 0;
}

static int add_page(changes *into, uint32_t site, uint32_t path, const page *add) {
    const text *names = into->texts.list;
    uint64_t hash = page_hash(names + site, names + path, add->day);
    const page what = *add; /* which may be in the list that grows */
    page *one = pages_find(&into->pages, hash, site, path, what.day);
    if (!one) return NO_MEMORY;
    one->views += what.views;
    one->visits += what.visits;
    if (what.first < one->first) one->first = what.first;
    if (what.end > one->end) one->end = what.end;
    return 0;
}

static int add_run(changes *into, const run *of) {
    uint32_t *known = calloc(of->texts.count, sizeof *known);
    int failed = known ? 0 : NO_MEMORY;
    for (uint32_t index = 0; index < of->page_count && !failed; index++) {
        const page *add = of->pages + index;
        failed = number_page(into, of, known, add);
        if (!failed) failed = add_page(into, known[add->site], known[add->path], add);
    }
    free(known);
    return failed;
}

static int add_sites(changes *into) {
    into->site_pages = into->pages.count;
    for (uint32_t index = 0; index < into->site_pages; index++)
        if (add_page(into, into->pages.list[index].site, 0, into->pages.list + index))
            return NO_MEMORY;
    return 0;
}

/* Return the number of a change, made where it is missing; UINT32_MAX without memory. */
static uint32_t find_change(
    changes *of, uint64_t hash, const page *in, uint8_t grain, uint16_t start
) {
    if (of->count > of->mask / 2 &&
        slots_grow(&of->slots, &of->mask, of->list, sizeof *of->list, of->count))
        return UINT32_MAX;
    uint32_t place = (uint32_t)hash & of->mask;
    for (uint32_t found; (found = of->slots[place]); place = (place + 1) & of->mask) {
        const change *one = of->list + found - 1;
        if (one->hash == hash && one->site == in->site && one->path == in->path &&
            one->grain == grain && one->start == start)
            return found - 1;
    }
    if (of->count == of->room) {
        uint32_t room = of->room ? of->room * 2 : 64;
        change *list = realloc(of->list, room * sizeof *list);
        if (!list) return UINT32_MAX;
        of->list = list;
        of->room = room;
    }
    of->list[of->count] =
        (change){hash, in->site, in->path, start, grain, UNCHANGED, 0, 0, INT64_MAX, -1, 0, 0};
    of->slots[place] = ++of->count;
    return of->count - 1;
}

static int add_rows(changes *of) {
    of->mask = 255;
    while (of->mask < of->pages.count * GRAINS) of->mask = of->mask * 2 + 1;
    of->slots = calloc((size_t)of->mask + 1, sizeof *of->slots);
    of->of_page = malloc(((size_t)of->pages.count * GRAINS + 1) * sizeof *of->of_page);
    if (!of->slots || !of->of_page) return NO_MEMORY;
    for (uint32_t index = 0; index < of->pages.count; index++) {
        const page *in = of->pages.list + index;
        uint64_t name = page_hash(of->texts.list + in->site, of->texts.list + in->path, 0);
        uint16_t starts[GRAINS];
        periods_of(in->day, starts);
        for (uint8_t grain = 0; grain < GRAINS; grain++) {
            uint64_t hash = mixed(name, (uint64_t)starts[grain] * GRAINS + grain);
            uint32_t number = find_change(of, hash, in, grain, starts[grain]);
            if (number == UINT32_MAX) return NO_MEMORY;
            change *one = of->list + number;
            if (in->first < one->first) one->first = in->first;
            if (in->end > one->last) one->last = in->end;
            one->views += in->views;
            one->visits += in->visits;
            of->of_page[index * GRAINS + grain] = number;
        }
    }
    return 0;
}

EXPORT void luot_end_changes(changes *of) {
    free(of->runs);
    texts_free(&of->texts);
    pages_free(&of->pages);
    free(of->list);
    free(of->slots);
    free(of->of_page);
    free(of);
}

/* Return what runs of one partition, in their order, add to each row they touch; they must be there
   until it is applied. NULL without memory. */
EXPORT changes *luot_changes(run **runs, uint32_t count) {
    changes *of = calloc(1, sizeof *of);
    if (!of) return NULL;
    of->runs = malloc(((size_t)count + 1) * sizeof *of->runs);
    int failed = !of->runs || texts_init(&of->texts) || pages_init(&of->pages, 64);
    for (uint32_t index = 0; index < count && !failed; index++) {
        of->runs[of->run_count++] = runs[index];
        failed = add_run(of, runs[index]);
    }
    if (!failed && !add_sites(of) && !add_rows(of)) return of;
    luot_end_changes(of);
    return NULL;
}

/* Write (site, path, grain, start) of each change whose row is not held. */
EXPORT void luot_missing_rows(const changes *of, uint32_t *into) {
    for (uint32_t number = 0; number < of->count; number++) {
        const change *one = of->list + number;
        if (one->row) continue;
        uint32_t values[4] = {one->site, one->path, one->grain, one->start};
        memcpy(into, values, sizeof values);
        into += 4;
    }
}

/* Add to rows that include a part of a run what they lack: one hit after another. */
static int add_parts(changes *of, const rows *held) {
    for (uint32_t index = 0; index < of->run_count; index++) {
        const run *in = of->runs[index];
        for (uint32_t hit = 0; hit < in->hits; hit++) {
            if (in->bot[hit]) continue;
            const text *site = in->texts.list + in->text[SITE][hit];
            const text *path = in->texts.list + in->text[PATH][hit];
            int64_t numbers[2] = {
                texts_number_hashed(
                    &of->texts, in->texts.bytes + site->at, site->length, site->hash),
                texts_number_hashed(
                    &of->texts, in->texts.bytes + path->at, path->length, path->hash)};
            if (numbers[0] < 0 || numbers[1] < 0) return NO_MEMORY;
            for (int is_site = 0; is_site < 2; is_site++) {
                uint32_t of_path = is_site ? 0 : (uint32_t)numbers[1];
                const text *names = of->texts.list;
                uint64_t hash = page_hash(names + numbers[0], names + of_path, in->day[hit]);
                page *one = pages_find(
                    &of->pages, hash, (uint32_t)numbers[0], of_path, in->day[hit]);
                if (!one) return NO_MEMORY;
                const uint32_t *added = of->of_page + (one - of->pages.list) * GRAINS;
                for (int grain = 0; grain < GRAINS; grain++) {
                    change *to = of->list + added[grain];
                    if (to->how != PARTLY || in->position[hit] <= held->list[to->row].position)
                        continue;
                    to->views++;
                    to->visits += in->visit[hit] == STARTS;
                }
            }
        }
    }
    return 0;
}

/* Make of what is added to rows, which are all held, what they become; see apply of fold.py.

   Return how many change. */
EXPORT int64_t luot_apply(changes *of, const rows *held) {
    int64_t changed = 0;
    int is_any_part = 0;
    for (uint32_t number = 0; number < of->count; number++) {
        change *one = of->list + number;
        const row *before = held->list + one->row;
        one->how = before->position < one->first ? WHOLLY
                   : before->position < one->last ? PARTLY
                                                  : UNCHANGED;
        changed += one->how != UNCHANGED;
        if (one->how == PARTLY) {
            is_any_part = 1;
            one->views = one->visits = 0;
        }
        one->views += before->views;
        one->visits += before->visits;
    }
    return is_any_part && add_parts(of, held) ? NO_MEMORY : changed;
}

/* The position of the last view; -1 without any. */
EXPORT int64_t luot_changes_end(const changes *of) {
    int64_t end = -1;
    for (uint32_t index = of->site_pages; index < of->pages.count; index++)
        if (of->pages.list[index].end > end) end = of->pages.list[index].end;
    return end;
}

/* Write the numbers of sites that have views, some of them more than once; return how many. */
EXPORT uint32_t luot_changed_sites(const changes *of, uint32_t *into) {
    for (uint32_t index = of->site_pages; into && index < of->pages.count; index++)
        *into++ = of->pages.list[index].site;
    return of->pages.count - of->site_pages;
}

EXPORT const uint8_t *luot_changes_text(const changes *of, uint32_t number, uint32_t *length) {
    *length = of->texts.list[number].length;
    return of->texts.bytes + of->texts.list[number].at;
}

/* The columns of the table of counters. */
enum { OF_SITE, OF_PATH, OF_GRAIN, OF_START, OF_VIEWS, OF_VISITS, OF_POSITION, OF_ALL };

static int put_value(const changes *of, const change *one, int column, buffer *to) {
    const text *name = of->texts.list + (column == OF_SITE ? one->site : one->path);
    uint8_t grain = one->grain + 1;
    switch (column) {
    case OF_SITE:
    case OF_PATH:
        return buffer_varint(to, name->length) ||
               buffer_put(to, of->texts.bytes + name->at, name->length);
    case OF_GRAIN: return buffer_put(to, &grain, 1);
    case OF_START: return buffer_put(to, &one->start, 2);
    case OF_VIEWS: return buffer_put(to, &one->views, 8);
    case OF_VISITS: return buffer_put(to, &one->visits, 8);
    default: return buffer_put(to, &one->last, 8);
    }
}

/* Write one column of the rows that change, as ClickHouse takes it; the bytes are the caller's.

   Unlike everything else but luot_column, this may run in any thread: it only reads. */
EXPORT int64_t luot_changed_column(
    const changes **of, uint32_t count, int column, uint8_t **bytes
) {
    buffer to = {NULL, 0, 0};
    if (column < 0 || column >= OF_ALL) return REFUSED;
    int failed = buffer_room(&to, 0);
    for (uint32_t index = 0; index < count; index++)
        for (uint32_t number = 0; number < of[index]->count && !failed; number++)
            if (of[index]->list[number].how != UNCHANGED)
                failed = put_value(of[index], of[index]->list + number, column, &to);
    if (failed) {
        free(to.at);
        return NO_MEMORY;
    }
    *bytes = to.at;
    return (int64_t)to.size;
}

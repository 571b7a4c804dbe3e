/* Packed tables: visitors, 24 bytes a place, of which the forgotten ones go when it is full, and
   now and then; and numbers, of views or pages. */

#include "state.h"

/* A visitor of a site: when received, in ms, and the unit of log time of that entry.
   Site 0 is an empty place. */
static seen *find(table *of, uint64_t who, uint32_t site) {
    uint64_t place = mixed(who, site) & of->mask;
    for (seen *one; (one = of->places + place)->site; place = (place + 1) & of->mask)
        if (one->who == who && one->site == site) return one;
    return of->places + place;
}

static int resize(table *of, uint64_t room) {
    table bigger = {calloc(room, sizeof(seen)), room - 1, 0, of->oldest};
    if (!bigger.places) return NO_MEMORY;
    for (uint64_t place = 0; of->places && place <= of->mask; place++) {
        const seen *one = of->places + place;
        if (!one->site || one->unit < of->oldest) continue;
        *find(&bigger, one->who, one->site) = *one;
        bigger.used++;
    }
    free(of->places);
    *of = bigger;
    return 0;
}

/* Forget where there is no place, and where nobody was forgotten for two windows: after a busy hour
   the table would stay as large as it was. */
static int make_place(table *of, uint32_t unit, uint32_t remembered) {
    int is_full = !of->places || of->used >= (of->mask + 1) / 8 * 7;
    if (!is_full && unit <= of->oldest + 3ull * remembered) return 0;
    of->oldest = unit > remembered ? unit - remembered : 0;
    uint64_t left = 0, room = LEAST_PLACES;
    for (uint64_t place = 0; of->places && place <= of->mask; place++)
        left += of->places[place].site && of->places[place].unit >= of->oldest;
    while (room / 2 <= left) room *= 2;
    return resize(of, room);
}

/* Remember somebody; return who that was before, all zero for an unknown one. */
int table_put(table *of, seen now, uint32_t remembered, seen *before) {
    if (make_place(of, now.unit, remembered)) return NO_MEMORY;
    seen *one = find(of, now.who, now.site);
    *before = *one;
    of->used += !one->site;
    *one = now;
    return 0;
}

/* Return who somebody was, all zero for an unknown one. */
seen table_get(const table *of, uint64_t who, uint32_t site) {
    return of->places ? *find((table *)of, who, site) : (seen){0, 0, 0, 0};
}

/* Tell whether a number is there; 0 is none. */
int numbers_has(const numbers *of, uint64_t number) {
    if (!of->places) return 0;
    uint64_t place = mixed(number, 0) & of->mask;
    for (; of->places[place]; place = (place + 1) & of->mask)
        if (of->places[place] == number) return 1;
    return 0;
}

/* Add a number; return whether it is new. */
int numbers_add(numbers *of, uint64_t number) {
    if (!of->places || of->used >= (of->mask + 1) / 8 * 7) {
        numbers bigger = {NULL, of->places ? of->mask * 2 + 1 : LEAST_PLACES - 1, 0};
        bigger.places = calloc(bigger.mask + 1, sizeof *bigger.places);
        if (!bigger.places) return NO_MEMORY;
        for (uint64_t place = 0; of->places && place <= of->mask; place++)
            if (of->places[place]) numbers_add(&bigger, of->places[place]);
        free(of->places);
        *of = bigger;
    }
    uint64_t place = mixed(number, 0) & of->mask;
    for (; of->places[place]; place = (place + 1) & of->mask)
        if (of->places[place] == number) return 0;
    of->places[place] = number;
    of->used++;
    return 1;
}

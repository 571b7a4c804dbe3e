/* The rows that are held in memory: as HotRows of rows.py, packed. */

#include "rows.h"

enum { LEAST_SLOTS = 64, LEAST_NAMES = 1024, LEAST_BYTES = 1 << 16, LENGTH_BYTES = 4 };

EXPORT rows *luot_rows(void) {
    rows *of = calloc(1, sizeof *of);
    if (!of) return NULL;
    of->mask = LEAST_SLOTS - 1;
    of->slots = calloc(LEAST_SLOTS, sizeof *of->slots);
    of->list = calloc(LEAST_SLOTS, sizeof *of->list);
    of->room = LEAST_SLOTS;
    of->count = 1;
    if (!texts_init(&of->names) && of->slots && of->list) return of;
    texts_free(&of->names);
    free(of->slots);
    free(of->list);
    free(of);
    return NULL;
}

EXPORT void luot_end_rows(rows *of) {
    texts_free(&of->names);
    free(of->slots);
    free(of->list);
    free(of->scratch.at);
    free(of);
}

EXPORT uint32_t luot_rows_held(const rows *of) { return of->held; }

/* Number the name of a page: the length of its site, its site, its path. */
static int64_t rows_name(rows *of, const texts *in, uint32_t site, uint32_t path) {
    const text *one = in->list + site, *other = in->list + path;
    of->scratch.size = 0;
    if (buffer_put(&of->scratch, &one->length, LENGTH_BYTES) ||
        buffer_put(&of->scratch, in->bytes + one->at, one->length) ||
        buffer_put(&of->scratch, in->bytes + other->at, other->length))
        return NO_MEMORY;
    return texts_number_hashed(
        &of->names, of->scratch.at, (uint32_t)of->scratch.size, page_hash(one, other, 0));
}

static uint32_t path_length(const rows *of, uint32_t name) {
    const text *whole = of->names.list + name;
    uint32_t site_length;
    memcpy(&site_length, of->names.bytes + whole->at, LENGTH_BYTES);
    return whole->length - LENGTH_BYTES - site_length;
}

static uint32_t place_of(const rows *of, uint32_t name, uint8_t grain, uint16_t start) {
    return (uint32_t)mixed(name, (uint64_t)start * GRAINS + grain) & of->mask;
}

static uint32_t own_place(const rows *of, uint32_t number) {
    const row *one = of->list + number;
    return place_of(of, one->name, one->grain, one->start);
}

/* Return the number of a row; 0 where it is not held. */
static uint32_t rows_find(const rows *of, uint32_t name, uint8_t grain, uint16_t start) {
    uint32_t place = place_of(of, name, grain, start);
    for (uint32_t found; (found = of->slots[place]); place = (place + 1) & of->mask) {
        const row *one = of->list + found;
        if (one->name == name && one->grain == grain && one->start == start) return found;
    }
    return 0;
}

static void put_in_slot(const rows *of, uint32_t number) {
    uint32_t place = own_place(of, number);
    while (of->slots[place]) place = (place + 1) & of->mask;
    of->slots[place] = number;
}

/* Empty the slot of a row, and move up those behind it that are there only because it was taken. */
static void empty_slot(rows *of, uint32_t number) {
    uint32_t hole = own_place(of, number);
    while (of->slots[hole] != number) hole = (hole + 1) & of->mask;
    for (uint32_t place = hole, found; (found = of->slots[place = (place + 1) & of->mask]);) {
        uint32_t away = (place - own_place(of, found)) & of->mask;
        if (away < ((place - hole) & of->mask)) continue;
        of->slots[hole] = found;
        hole = place;
    }
    of->slots[hole] = 0;
}

static void take_out(rows *of, uint32_t number) {
    const row *one = of->list + number;
    of->list[one->older].newer = one->newer;
    of->list[one->newer].older = one->older;
}

static void put_newest(rows *of, uint32_t number) {
    row *one = of->list + number, *none = of->list;
    one->newer = 0;
    one->older = none->older;
    of->list[none->older].newer = number;
    none->older = number;
}

/* See that there is room for one row more. */
static int make_place(rows *of) {
    if (of->held >= (of->mask + 1) / 4 * 3) {
        uint32_t *slots = calloc(((size_t)of->mask + 1) * 2, sizeof *slots);
        if (!slots) return NO_MEMORY;
        free(of->slots);
        of->slots = slots;
        of->mask = of->mask * 2 + 1;
        for (uint32_t number = of->list->newer; number; number = of->list[number].newer)
            put_in_slot(of, number);
    }
    if (!of->free && of->count == of->room) {
        uint32_t room = of->room + of->room / 2;
        row *list = realloc(of->list, room * sizeof *list);
        if (!list) return NO_MEMORY;
        of->list = list;
        of->room = room;
    }
    return 0;
}

/* Hold a row as the newest; return its number, or 0 without memory. */
static uint32_t hold(rows *of, row what) {
    if (make_place(of)) return 0;
    uint32_t number = of->free ? of->free : of->count++;
    if (of->free) of->free = of->list[number].newer;
    of->list[number] = what;
    put_newest(of, number);
    put_in_slot(of, number);
    of->path_bytes += path_length(of, what.name);
    of->held++;
    return number;
}

static void let_go(rows *of, uint32_t number) {
    empty_slot(of, number);
    take_out(of, number);
    of->path_bytes -= path_length(of, of->list[number].name);
    of->list[number].newer = of->free;
    of->free = number;
    of->held--;
}

/* Find the rows of the changes; return how many are not held. */
EXPORT int64_t luot_find_rows(rows *of, changes *for_them) {
    int64_t missing = 0;
    for (uint32_t number = 0; number < for_them->count; number++) {
        change *one = for_them->list + number;
        if (number && one->site == one[-1].site && one->path == one[-1].path)
            one->name = one[-1].name;
        else {
            int64_t name = rows_name(of, &for_them->texts, one->site, one->path);
            if (name < 0) return NO_MEMORY;
            one->name = (uint32_t)name;
        }
        one->row = rows_find(of, one->name, one->grain, one->start);
        missing += !one->row;
    }
    for_them->evictions = of->evictions;
    return missing;
}

/* Hold the rows that changes lack, with (views, visits, position) of each in their order. */
EXPORT int luot_hold(rows *of, changes *lacking, const int64_t *values) {
    if (lacking->evictions != of->evictions) return 0; /* they have to be found again */
    for (uint32_t number = 0; number < lacking->count; number++) {
        change *one = lacking->list + number;
        if (one->row) continue;
        const row what = {values[2], (uint64_t)values[0], (uint64_t)values[1],
                          one->name, one->start, one->grain, 0, 0};
        values += 3;
        one->row = rows_find(of, one->name, one->grain, one->start);
        if (!one->row) one->row = hold(of, what);
        if (!one->row) return NO_MEMORY;
    }
    return 0;
}

/* Copy what is held, without the names of rows that are gone. As it was, without memory. */
static void pack(rows *of) {
    rows *packed = luot_rows();
    uint32_t *known = calloc(of->names.count, sizeof *known);
    int failed = !packed || !known;
    for (uint32_t number = of->list->newer; number && !failed; number = of->list[number].newer) {
        row what = of->list[number];
        const text *name = of->names.list + what.name;
        if (!known[what.name]) {
            int64_t new = texts_number_hashed(
                &packed->names, of->names.bytes + name->at, name->length, name->hash);
            known[what.name] = new < 0 ? 0 : (uint32_t)new;
        }
        failed = !(what.name = known[what.name]) || !hold(packed, what);
    }
    free(known);
    if (!failed) {
        packed->packed_names = packed->names.count;
        packed->packed_size = packed->names.size;
        packed->evictions = of->evictions;
        rows before = *of;
        *of = *packed;
        *packed = before;
    }
    if (packed) luot_end_rows(packed);
}

/* Hold changed rows as they are in the store now, as the newest; let the oldest go while there are
   more than so many, or they take more than so many bytes: each `beside_path` and its part of its
   path. */
EXPORT int luot_put(
    rows *of, changes *changed, uint64_t most, uint64_t bytes, uint64_t beside_path
) {
    if (changed->evictions != of->evictions && luot_find_rows(of, changed) < 0) return NO_MEMORY;
    for (uint32_t number = 0; number < changed->count; number++) {
        change *one = changed->list + number;
        if (one->how == UNCHANGED) continue;
        row what = {one->last, one->views, one->visits, one->name, one->start, one->grain, 0, 0};
        if (!one->row) {
            if (!(one->row = hold(of, what))) return NO_MEMORY;
            continue;
        }
        take_out(of, one->row);
        of->list[one->row] = what;
        put_newest(of, one->row);
    }
    int is_any_gone = 0;
    while (of->held &&
           (of->held > most || of->held * beside_path + of->path_bytes / GRAINS > bytes)) {
        let_go(of, of->list->newer);
        is_any_gone = 1;
    }
    of->evictions += is_any_gone;
    if (is_any_gone && (of->names.count > 2 * of->packed_names + LEAST_NAMES ||
                        of->names.size > 2 * of->packed_size + LEAST_BYTES))
        pack(of);
    return 0;
}

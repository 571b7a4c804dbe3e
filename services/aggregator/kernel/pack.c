/* A state as bytes and back: all that the fold of later entries depends on, but no peaks. */

#include "state.h"

/* Those that were seen in the last units of log time: no later entry asks for the others. */
static int put_table(const table *of, int64_t now, uint32_t remembered, buffer *to) {
    uint64_t used = 0;
    int64_t oldest = (now >> UNIT_BITS) - remembered;
    for (uint64_t place = 0; of->places && place <= of->mask; place++)
        used += of->places[place].site && of->places[place].unit >= oldest;
    if (buffer_put(to, &used, sizeof used)) return NO_MEMORY;
    for (uint64_t place = 0; of->places && place <= of->mask; place++)
        if (of->places[place].site && of->places[place].unit >= oldest &&
            buffer_put(to, of->places + place, sizeof(seen)))
            return NO_MEMORY;
    return 0;
}

static int put_numbers(const numbers *of, buffer *to) {
    if (buffer_put(to, &of->used, sizeof of->used)) return NO_MEMORY;
    for (uint64_t place = 0; of->places && place <= of->mask; place++)
        if (of->places[place] && buffer_put(to, of->places + place, sizeof *of->places))
            return NO_MEMORY;
    return 0;
}

static int put_online(const online *of, buffer *to) {
    uint8_t is_any = of != NULL;
    if (buffer_put(to, &is_any, 1)) return NO_MEMORY;
    return is_any ? buffer_put(to, of, sizeof *of) : 0;
}

static int put_state(const state *of, buffer *to) {
    if (buffer_put(to, &of->position, 8) || buffer_put(to, &of->now, 8) ||
        buffer_put(to, &of->window, 8) || buffer_put(to, &of->names.count, 4))
        return NO_MEMORY;
    for (uint32_t site = 1; site < of->names.count; site++) {
        const text *name = of->names.list + site;
        if (buffer_varint(to, name->length) ||
            buffer_put(to, of->names.bytes + name->at, name->length))
            return NO_MEMORY;
        const site_state none = {NULL, NULL, NULL, 0};
        const site_state *one = site < of->site_room ? of->sites + site : &none;
        if (put_online(one->humans, to) || put_online(one->bots, to)) return NO_MEMORY;
    }
    return put_numbers(&of->ids, to) || put_numbers(&of->before, to) ||
           put_table(&of->live, of->now, KNOWN_UNITS, to) ||
           put_table(&of->late, of->now, KNOWN_UNITS, to) ||
           put_table(&of->others, of->now, ONLINE_UNITS, to);
}

/* Return the size of the bytes, which are the caller's. */
EXPORT int64_t luot_pack(const state *of, uint8_t **bytes) {
    buffer to = {NULL, 0, 0};
    if (put_state(of, &to)) {
        free(to.at);
        return NO_MEMORY;
    }
    *bytes = to.at;
    return (int64_t)to.size;
}

typedef struct { const uint8_t *at, *end; } packed;

static int take(packed *from, void *into, size_t size) {
    if ((size_t)(from->end - from->at) < size) return REFUSED;
    memcpy(into, from->at, size);
    from->at += size;
    return 0;
}

static int take_varint(packed *from, uint64_t *number) {
    *number = 0;
    for (int shift = 0; shift < 35; shift += 7) {
        uint8_t byte;
        if (take(from, &byte, 1)) return REFUSED;
        *number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return 0;
    }
    return REFUSED;
}

/* Return how many things of that size follow, or -1. */
static int64_t take_count(packed *from, size_t size) {
    uint64_t count;
    if (take(from, &count, sizeof count)) return REFUSED;
    return count > (uint64_t)(from->end - from->at) / size ? REFUSED : (int64_t)count;
}

static int take_table(packed *from, table *into, uint32_t most_site) {
    int64_t count = take_count(from, sizeof(seen));
    if (count < 0) return REFUSED;
    for (int64_t index = 0; index < count; index++) {
        seen one = {0, 0, 0, 0}, before;
        take(from, &one, sizeof one);
        if (!one.site || one.site > most_site) return REFUSED;
        /* Nobody is forgotten here: they are those of one moment. */
        if (table_put(into, one, UINT32_MAX, &before)) return NO_MEMORY;
        if (before.site) return REFUSED;
    }
    return 0;
}

static int take_numbers(packed *from, numbers *into) {
    int64_t count = take_count(from, sizeof(uint64_t));
    if (count < 0) return REFUSED;
    for (int64_t index = 0; index < count; index++) {
        uint64_t number = 0;
        take(from, &number, sizeof number);
        int is_new = number ? numbers_add(into, number) : 0;
        if (is_new < 1) return is_new ? NO_MEMORY : REFUSED;
    }
    return 0;
}

static int take_online(packed *from, online **into) {
    uint8_t is_any;
    if (take(from, &is_any, 1) || is_any > 1) return REFUSED;
    if (!is_any) return 0;
    *into = malloc(sizeof **into);
    if (!*into) return NO_MEMORY;
    if (take(from, *into, sizeof **into)) return REFUSED;
    uint64_t total = 0;
    for (uint32_t unit = 0; unit < ONLINE_UNITS; unit++) total += (*into)->seen[unit];
    return total == (*into)->total ? 0 : REFUSED;
}

static int take_state(packed *from, state *into) {
    uint32_t names;
    int failed;
    if (take(from, &into->position, 8) || take(from, &into->now, 8) ||
        take(from, &into->window, 8) || take(from, &names, 4))
        return REFUSED;
    for (uint32_t site = 1; site < names; site++) {
        uint64_t length;
        if (take_varint(from, &length) || length > (uint64_t)(from->end - from->at)) return REFUSED;
        if (!is_utf8(from->at, length)) return REFUSED;
        int64_t number = state_site(into, from->at, (uint32_t)length);
        if (number != site) return number < 0 ? NO_MEMORY : REFUSED;
        from->at += length;
        if ((failed = take_online(from, &into->sites[site].humans))) return failed;
        if ((failed = take_online(from, &into->sites[site].bots))) return failed;
    }
    if ((failed = take_numbers(from, &into->ids))) return failed;
    if ((failed = take_numbers(from, &into->before))) return failed;
    if ((failed = take_table(from, &into->live, names))) return failed;
    if ((failed = take_table(from, &into->late, names))) return failed;
    if ((failed = take_table(from, &into->others, 2 * names + 1))) return failed;
    return from->at == from->end ? 0 : REFUSED;
}

/* Fill a new state; REFUSED where the bytes are of no state. */
EXPORT int luot_unpack(state *into, const uint8_t *bytes, size_t size) {
    packed from = {bytes, bytes + size};
    return take_state(&from, into);
}

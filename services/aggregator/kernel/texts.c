/* Distinct texts, hashed by a secret: paths are chosen by strangers. */

#include "kernel.h"

static uint64_t secret[2] = {0x9E3779B97F4A7C15u, 0xD1B54A32D192ED03u};

/* Set the secret, before anything else. A later one would lose what was hashed before. */
EXPORT void luot_seed(uint64_t first, uint64_t second) {
    static int is_set;
    if (is_set) return;
    is_set = 1;
    secret[0] = first | 1;
    secret[1] = second | 1;
}

uint64_t mixed(uint64_t number, uint64_t with) {
    unsigned __int128 product =
        (unsigned __int128)(number ^ secret[0]) * ((with * 0x9E3779B97F4A7C15u) ^ secret[1]);
    uint64_t both = (uint64_t)product ^ (uint64_t)(product >> 64);
    both *= secret[0];
    return both ^ both >> 32;
}

static uint64_t hashed(const uint8_t *at, uint32_t length) {
    uint64_t hash = length, part;
    for (; length >= 8; at += 8, length -= 8) {
        memcpy(&part, at, 8);
        hash = mixed(hash ^ part, 1);
    }
    if (length) {
        part = 0;
        memcpy(&part, at, length);
        hash = mixed(hash ^ part, 2);
    }
    return mixed(hash, 3);
}

int texts_init(texts *of) {
    memset(of, 0, sizeof *of);
    of->mask = 255;
    of->slots = calloc(of->mask + 1, sizeof *of->slots);
    if (!of->slots) return NO_MEMORY;
    return texts_number(of, (const uint8_t *)"", 0) < 0 ? NO_MEMORY : 0;
}

void texts_free(texts *of) {
    free(of->list);
    free(of->slots);
    free(of->bytes);
}

/* Double the slots of a list whose things begin with their hash: number + 1, or 0 for none. */
int slots_grow(uint32_t **slots, uint32_t *mask, const void *list, size_t size, uint32_t count) {
    uint32_t wider = *mask * 2 + 1;
    uint32_t *grown = calloc((size_t)wider + 1, sizeof *grown);
    if (!grown) return NO_MEMORY;
    for (uint32_t number = 0; number < count; number++) {
        uint64_t hash;
        memcpy(&hash, (const uint8_t *)list + number * size, sizeof hash);
        uint32_t place = (uint32_t)hash & wider;
        while (grown[place]) place = (place + 1) & wider;
        grown[place] = number + 1;
    }
    free(*slots);
    *slots = grown;
    *mask = wider;
    return 0;
}

int64_t texts_number_hashed(texts *of, const uint8_t *at, uint32_t length, uint64_t hash) {
    if (of->count > of->mask / 2 &&
        slots_grow(&of->slots, &of->mask, of->list, sizeof *of->list, of->count))
        return NO_MEMORY;
    uint32_t place = (uint32_t)hash & of->mask;
    for (uint32_t found; (found = of->slots[place]); place = (place + 1) & of->mask) {
        const text *one = &of->list[found - 1];
        if (one->hash == hash && one->length == length &&
            (!length || !memcmp(of->bytes + one->at, at, length)))
            return found - 1;
    }
    if (of->count == of->room) {
        uint32_t room = of->room ? of->room * 2 : 128;
        text *list = realloc(of->list, room * sizeof *list);
        if (!list) return NO_MEMORY;
        of->list = list;
        of->room = room;
    }
    if (of->size + length > of->bytes_room) {
        size_t room = (of->size + length) * 2 + 4096;
        uint8_t *bytes = realloc(of->bytes, room);
        if (!bytes) return NO_MEMORY;
        of->bytes = bytes;
        of->bytes_room = room;
    }
    if (length) memcpy(of->bytes + of->size, at, length);
    of->list[of->count] = (text){hash, of->size, length};
    of->size += length;
    of->slots[place] = ++of->count;
    return of->count - 1;
}

/* Return the number of a text, a new one for a new text. */
int64_t texts_number(texts *of, const uint8_t *at, uint32_t length) {
    return texts_number_hashed(of, at, length, hashed(at, length));
}

/* Tell whether Python's strict decoder takes these bytes. */
int is_utf8(const uint8_t *at, size_t length) {
    const uint8_t *end = at + length;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & 0x8080808080808080u))) {
            at += 8;
            continue;
        }
        uint8_t first = *at++;
        if (first < 0x80) continue;
        int more;
        uint8_t low = 0x80, high = 0xBF;
        if (first >= 0xC2 && first <= 0xDF) more = 1;
        else if (first >= 0xE0 && first <= 0xEF) {
            more = 2;
            if (first == 0xE0) low = 0xA0;
            if (first == 0xED) high = 0x9F;
        } else if (first >= 0xF0 && first <= 0xF4) {
            more = 3;
            if (first == 0xF0) low = 0x90;
            if (first == 0xF4) high = 0x8F;
        } else return 0;
        if (end - at < more || *at < low || *at > high) return 0;
        for (int next = 1; next < more; next++)
            if ((at[next] & 0xC0) != 0x80) return 0;
        at += more;
    }
    return 1;
}

/* See that so many more bytes fit. */
int buffer_room(buffer *to, size_t size) {
    if (to->at && to->size + size <= to->room) return 0;
    size_t room = (to->size + size) * 3 / 2 + 256;
    uint8_t *at = realloc(to->at, room);
    if (!at) return NO_MEMORY;
    to->at = at;
    to->room = room;
    return 0;
}

int buffer_put(buffer *to, const void *bytes, size_t size) {
    if (buffer_room(to, size)) return NO_MEMORY;
    if (size) memcpy(to->at + to->size, bytes, size);
    to->size += size;
    return 0;
}

int buffer_varint(buffer *to, uint64_t number) {
    uint8_t bytes[10];
    int size = 0;
    for (; number >= 0x80; number >>= 7) bytes[size++] = (uint8_t)number | 0x80;
    bytes[size++] = (uint8_t)number;
    return buffer_put(to, bytes, size);
}

EXPORT void luot_free(void *of) { free(of); }

/* What the library was compiled from. */
EXPORT const char *luot_source(void) { return LUOT_SOURCE; }

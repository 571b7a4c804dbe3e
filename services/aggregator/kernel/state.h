/* The state of one partition. */

#ifndef LUOT_STATE_H
#define LUOT_STATE_H

#include "kernel.h"

/* As visits.py, online_window.py and repetitions.py have them; a test holds them to be equal. */
#define UNIT_BITS 10
#define UNIT_MASK ((1u << 22) - 1)
#define WINDOW_MS (30 * 60000)
#define LATE_MS 60000
#define FORGET_MS (WINDOW_MS + LATE_MS)
#define KNOWN_UNITS (uint32_t)(FORGET_MS >> UNIT_BITS)
#define ONLINE_UNITS (uint32_t)((5 * 60000 >> UNIT_BITS) + 1)
#define REPEAT_MS (10 * 60000)
#define MOST_IDS 150000
#define LEAST_PLACES 64

enum { NEVER = -1, NOT_LIVE = -2 };

typedef struct { uint64_t who; int64_t at; uint32_t site, unit; } seen;
typedef struct { seen *places; uint64_t mask, used; uint32_t oldest; } table;
typedef struct { uint64_t *places; uint64_t mask, used; } numbers;
typedef struct { uint32_t seen[ONLINE_UNITS]; uint32_t unit; uint64_t total; } online;
typedef struct { uint32_t day, is_new; uint64_t online; int64_t at; } peak;
typedef struct { online *humans, *bots; peak *peaks; uint32_t peak_count; } site_state;

typedef struct {
    int64_t position, now, window;
    texts names; /* of sites */
    site_state *sites;
    uint32_t site_room;
    table live, late, others;
    numbers ids, before;
} state;

int table_put(table *of, seen now, uint32_t remembered, seen *before);
seen table_get(const table *of, uint64_t who, uint32_t site);
int numbers_has(const numbers *of, uint64_t number);
int numbers_add(numbers *of, uint64_t number);
int note_online(
    state *of, const run *hits, uint32_t hit, uint32_t site, int64_t time, int decided);
int64_t state_site(state *of, const uint8_t *name, uint32_t length);

#endif

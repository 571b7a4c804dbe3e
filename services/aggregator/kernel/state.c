/* What the fold remembers of a partition: numbers of views, visitors, who is online.

   As visits.py, online_window.py and repetitions.py: a function of the log, of which the last part
   suffices. Here visitors stand in one packed table each, 24 bytes a place, and the forgotten ones
   go when it is full. */

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

static int make_place(table *of, uint32_t unit, uint32_t remembered) {
    if (of->places && of->used < (of->mask + 1) / 8 * 7) return 0;
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

static int continues(const seen *before, const seen *now) {
    /* Nobody, as the Python has it: what was seen at the very beginning of time. */
    if (!before->site || !(before->at | (before->unit & UNIT_MASK))) return 0;
    int64_t apart = now->at - before->at;
    return ((now->unit - before->unit) & UNIT_MASK) < KNOWN_UNITS && apart < WINDOW_MS &&
           -apart < WINDOW_MS;
}

static seen get(const table *of, uint64_t who, uint32_t site) {
    return of->places ? *find((table *)of, who, site) : (seen){0, 0, 0, 0};
}

/* Numbers of views of one window. 0 is none. */
static int has(const numbers *of, uint64_t number) {
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

static void turn(state *of, int64_t window) {
    if (window == of->window) return;
    free(of->before.places);
    if (window == of->window + 1) of->before = of->ids;
    else {
        free(of->ids.places);
        of->before = (numbers){NULL, 0, 0};
    }
    of->ids = (numbers){NULL, 0, 0};
    of->window = window;
}

/* Note in `kept` which hits of an entry are no repetitions. */
static int first_ones(state *of, const run *hits, const entry *in, uint8_t *kept) {
    const uint64_t *ids = hits->view_id + in->first;
    int is_any = 0;
    for (uint32_t hit = 0; hit < in->hits; hit++) is_any |= ids[hit] != 0;
    if (!is_any) return 0;
    turn(of, in->time / REPEAT_MS);
    int is_full = of->ids.used >= MOST_IDS;
    for (uint32_t hit = 0; hit < in->hits; hit++) {
        uint64_t id = ids[hit];
        int is_first = 1;
        if (!id) continue;
        if (!is_full) {
            int is_new = numbers_add(&of->ids, id);
            if (is_new < 0) return NO_MEMORY;
            is_first = is_new && !has(&of->before, id);
        } else {
            for (uint32_t other = 0; other < hit && is_first; other++) is_first = ids[other] != id;
            is_first = is_first && !has(&of->ids, id) && !has(&of->before, id);
        }
        kept[in->first + hit] = (uint8_t)is_first;
    }
    return 0;
}

/* Who is online on one site: how many were last seen in each unit of log time. */
static void advance(online *of, uint32_t unit) {
    if (unit <= of->unit) return;
    if (unit - of->unit >= ONLINE_UNITS) {
        memset(of->seen, 0, sizeof of->seen);
        of->total = 0;
    } else
        for (uint32_t next = of->unit + 1; next <= unit; next++) {
            of->total -= of->seen[next % ONLINE_UNITS];
            of->seen[next % ONLINE_UNITS] = 0;
        }
    of->unit = unit;
}

static void touch(online *of, uint32_t unit, int32_t ago) {
    advance(of, unit);
    if (ago >= 0 && ago < (int32_t)ONLINE_UNITS) {
        if (!ago) return;
        of->seen[(unit - ago) % ONLINE_UNITS]--;
    } else
        of->total++;
    of->seen[unit % ONLINE_UNITS]++;
}

static online *online_of(state *of, uint32_t site, int bots) {
    online **one = bots ? &of->sites[site].bots : &of->sites[site].humans;
    if (!*one) *one = calloc(1, sizeof **one);
    return *one;
}

static int note_peak(state *of, uint32_t site, uint32_t day, uint64_t number, int64_t at) {
    site_state *one = of->sites + site;
    for (uint32_t index = one->peak_count; index-- > 0;) {
        peak *known = one->peaks + index;
        if (known->day != day) continue;
        if (number > known->online) *known = (peak){day, 1, number, at};
        return 0;
    }
    peak *peaks = realloc(one->peaks, (one->peak_count + 1) * sizeof *peaks);
    if (!peaks) return NO_MEMORY;
    one->peaks = peaks;
    peaks[one->peak_count++] = (peak){day, 1, number, at};
    return 0;
}

/* Return the number of a site in a state, from 1, a new one for a new site. */
int64_t state_site(state *of, const uint8_t *name, uint32_t length) {
    int64_t site = texts_number(&of->names, name, length);
    if (site < (int64_t)of->site_room) return site;
    uint32_t room = (uint32_t)site * 2;
    site_state *sites = realloc(of->sites, room * sizeof *sites);
    if (!sites) return NO_MEMORY;
    memset(sites + of->site_room, 0, (room - of->site_room) * sizeof *sites);
    of->sites = sites;
    of->site_room = room;
    return site;
}

/* Decide about one hit; note how long ago its visitor was seen live. */
static int decide(state *of, run *hits, uint32_t hit, uint32_t site, int64_t time) {
    seen before, now = {hits->visitor[hit], hits->at[hit], site, (uint32_t)(time >> UNIT_BITS)};
    hits->ago[hit] = NOT_LIVE;
    if (hits->bot[hit]) {
        hits->visit[hit] = UNDECIDED;
        return 0;
    }
    if (hits->visit[hit] || !now.who) return 0;
    int known;
    if (now.at < time - LATE_MS) {
        if (table_put(&of->late, now, KNOWN_UNITS, &before)) return NO_MEMORY;
        seen live = get(&of->live, now.who, site);
        known = continues(&before, &now) || continues(&live, &now);
    } else {
        if (table_put(&of->live, now, KNOWN_UNITS, &before)) return NO_MEMORY;
        known = continues(&before, &now);
        int is_known = before.site && (before.at | (before.unit & UNIT_MASK));
        hits->ago[hit] = is_known ? (int32_t)((now.unit - before.unit) & UNIT_MASK) : NEVER;
        if (!known) {
            seen late = get(&of->late, now.who, site);
            known = continues(&late, &now);
        }
    }
    hits->visit[hit] = known ? CONTINUES : STARTS;
    return 0;
}

/* Count who is online; `decided` is what the hit said itself about its visit. */
static int note_online(
    state *of, const run *hits, uint32_t hit, uint32_t site, int64_t time, int decided
) {
    uint32_t unit = (uint32_t)(time >> UNIT_BITS);
    int32_t ago = hits->ago[hit];
    int is_bot = hits->bot[hit];
    if (ago == NOT_LIVE) {
        uint64_t visitor = hits->visitor[hit];
        uint64_t who = is_bot && visitor ? visitor : visitor || decided ? 0 : hits->view_id[hit];
        if (!who || time - hits->at[hit] > LATE_MS) return 0;
        seen before, now = {who, 0, site * 2 + is_bot, unit};
        if (table_put(&of->others, now, ONLINE_UNITS, &before)) return NO_MEMORY;
        int64_t since = (int64_t)unit - before.unit;
        ago = before.unit && since >= 0 && since < (int32_t)ONLINE_UNITS ? (int32_t)since : NEVER;
    }
    online *online = online_of(of, site, is_bot);
    if (!online) return NO_MEMORY;
    touch(online, unit, ago);
    return is_bot ? 0 : note_peak(of, site, hits->day[hit], online->total, time);
}

/* See the hits of a run: decide about visits, count who is online, drop repetitions.

   Where an entry does not come after those before, nothing has happened. */
EXPORT int luot_see(state *of, run *hits) {
    int64_t last = of->position;
    for (uint32_t index = 0; index < hits->entry_count; index++) {
        if (hits->entries[index].position <= last) return OUT_OF_ORDER;
        last = hits->entries[index].position;
    }
    uint8_t *kept = malloc(hits->hits + 1);
    uint32_t *known = calloc(hits->texts.count, sizeof *known);
    int failed = !kept || !known ? NO_MEMORY : 0;
    if (!failed) memset(kept, 1, hits->hits);
    for (uint32_t index = 0; index < hits->entry_count && !failed; index++) {
        const entry *in = hits->entries + index;
        of->position = in->position;
        of->now = in->time;
        if (hits->any_view_id) failed = first_ones(of, hits, in, kept);
        for (uint32_t hit = in->first; hit < in->first + in->hits && !failed; hit++) {
            uint32_t name = hits->text[SITE][hit];
            int64_t site = known[name];
            if (!site) {
                const text *one = hits->texts.list + name;
                site = state_site(of, hits->texts.bytes + one->at, one->length);
                if (site > 0) known[name] = (uint32_t)site;
            }
            int decided = hits->visit[hit];
            failed = site < 0 ? NO_MEMORY : decide(of, hits, hit, (uint32_t)site, in->time);
            if (!failed) failed = note_online(of, hits, hit, (uint32_t)site, in->time, decided);
        }
    }
    if (!failed && hits->any_view_id) failed = run_keep(hits, kept);
    free(kept);
    free(known);
    return failed ? failed : run_count_pages(hits);
}

/* Write (site, bots, online) of each site that has any by a clock; return how many. */
EXPORT uint32_t luot_online(state *of, int64_t now, uint32_t *into, uint32_t most) {
    uint32_t unit = (uint32_t)(now >> UNIT_BITS), of_log = (uint32_t)(of->now >> UNIT_BITS);
    uint32_t written = 0;
    for (uint32_t site = 1; site < of->site_room; site++)
        for (int bots = 0; bots < 2; bots++) {
            online **one = bots ? &of->sites[site].bots : &of->sites[site].humans;
            if (!*one) continue;
            advance(*one, of_log);
            if (!(*one)->total) {
                free(*one);
                *one = NULL;
                continue;
            }
            uint64_t number = 0;
            for (uint32_t back = 0; back < ONLINE_UNITS; back++) {
                if (back > (*one)->unit || (*one)->unit - back + ONLINE_UNITS <= unit) break;
                uint32_t at = (*one)->unit - back;
                number += (*one)->seen[at % ONLINE_UNITS];
            }
            if (!number || written == most) continue;
            into[3 * written] = site;
            into[3 * written + 1] = (uint32_t)bots;
            into[3 * written + 2] = (uint32_t)number;
            written++;
        }
    return written;
}

/* Write (site, day, online, at) of the peaks that rose since the last call; return how many. */
EXPORT uint32_t luot_peaks(state *of, int64_t *into, uint32_t most) {
    uint32_t written = 0;
    for (uint32_t site = 1; site < of->site_room; site++)
        for (uint32_t index = 0; index < of->sites[site].peak_count; index++) {
            peak *one = of->sites[site].peaks + index;
            if (!one->is_new || written == most) continue;
            one->is_new = 0;
            int64_t values[4] = {site, one->day, (int64_t)one->online, one->at};
            memcpy(into + 4 * written++, values, sizeof values);
        }
    return written;
}

EXPORT state *luot_state(void) {
    state *of = calloc(1, sizeof *of);
    if (!of) return NULL;
    of->position = -1;
    if (texts_init(&of->names)) {
        texts_free(&of->names);
        free(of);
        return NULL;
    }
    return of;
}

EXPORT void luot_end_state(state *of) {
    for (uint32_t site = 0; site < of->site_room; site++) {
        free(of->sites[site].humans);
        free(of->sites[site].bots);
        free(of->sites[site].peaks);
    }
    free(of->sites);
    free(of->live.places);
    free(of->late.places);
    free(of->others.places);
    free(of->ids.places);
    free(of->before.places);
    texts_free(&of->names);
    free(of);
}

/* The names of the sites, by their numbers, from 1. */
EXPORT uint32_t luot_site_count(const state *of) { return of->names.count; }
EXPORT const uint8_t *luot_site_name(const state *of, uint32_t site, uint32_t *length) {
    *length = of->names.list[site].length;
    return of->names.bytes + of->names.list[site].at;
}
EXPORT int64_t luot_position(const state *of) { return of->position; }
EXPORT uint64_t luot_remembered(const state *of) { return of->live.used + of->late.used; }

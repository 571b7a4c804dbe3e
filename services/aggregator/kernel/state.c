/* What the fold decides about each hit, by what it remembers of a partition.

   As visits.py and repetitions.py: a function of the log, of which the last part suffices. */

#include "state.h"

static int continues(const seen *before, const seen *now) {
    /* Nobody, as the Python has it: what was seen at the very beginning of time. */
    if (!before->site || !(before->at | (before->unit & UNIT_MASK))) return 0;
    int64_t apart = now->at - before->at;
    return ((now->unit - before->unit) & UNIT_MASK) < KNOWN_UNITS && apart < WINDOW_MS &&
           -apart < WINDOW_MS;
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
            is_first = is_new && !numbers_has(&of->before, id);
        } else {
            for (uint32_t other = 0; other < hit && is_first; other++) is_first = ids[other] != id;
            is_first = is_first && !numbers_has(&of->ids, id) && !numbers_has(&of->before, id);
        }
        kept[in->first + hit] = (uint8_t)is_first;
    }
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
        seen live = table_get(&of->live, now.who, site);
        known = continues(&before, &now) || continues(&live, &now);
    } else {
        if (table_put(&of->live, now, KNOWN_UNITS, &before)) return NO_MEMORY;
        known = continues(&before, &now);
        int is_known = before.site && (before.at | (before.unit & UNIT_MASK));
        hits->ago[hit] = is_known ? (int32_t)((now.unit - before.unit) & UNIT_MASK) : NEVER;
        if (!known) {
            seen late = table_get(&of->late, now.who, site);
            known = continues(&late, &now);
        }
    }
    hits->visit[hit] = known ? CONTINUES : STARTS;
    return 0;
}

/* Give up all that is remembered but the peaks, which are of days. */
static void forget(state *of) {
    for (uint32_t site = 0; site < of->site_room; site++) {
        free(of->sites[site].humans);
        free(of->sites[site].bots);
        of->sites[site].humans = of->sites[site].bots = NULL;
    }
    free(of->live.places);
    free(of->late.places);
    free(of->others.places);
    free(of->ids.places);
    free(of->before.places);
    of->live = of->late = of->others = (table){NULL, 0, 0, 0};
    of->ids = of->before = (numbers){NULL, 0, 0};
}

/* Return the log time of an entry by the clock of its log, which never goes back: see fold.py. */
static int64_t log_time(state *of, int64_t clock) {
    if (clock >= of->now) return clock;
    if (of->now - clock <= FORGET_MS) return of->now;
    forget(of);
    return clock;
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
        entry *in = hits->entries + index;
        of->position = in->position;
        of->now = in->time = log_time(of, in->time);
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
    forget(of);
    for (uint32_t site = 0; site < of->site_room; site++) free(of->sites[site].peaks);
    free(of->sites);
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

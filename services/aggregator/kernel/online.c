/* Who is online, and the peaks of that: as online_window.py. */

#include "state.h"

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

/* Count who is online; `decided` is what the hit said itself about its visit. */
int note_online(
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

/* Forget the peaks of days that are over everywhere on Earth. */
static void forget_peaks(site_state *one, uint32_t newest) {
    uint32_t kept = 0;
    for (uint32_t index = 0; index < one->peak_count; index++)
        if (one->peaks[index].is_new || one->peaks[index].day + 2 >= newest)
            one->peaks[kept++] = one->peaks[index];
    one->peak_count = kept;
}

/* Write (site, day, online, at) of the peaks that rose since the last call; return how many. */
EXPORT uint32_t luot_peaks(state *of, int64_t *into, uint32_t most) {
    uint32_t written = 0, newest = 0;
    for (uint32_t site = 1; site < of->site_room; site++)
        for (uint32_t index = 0; index < of->sites[site].peak_count; index++) {
            peak *one = of->sites[site].peaks + index;
            if (!one->is_new || written == most) continue;
            one->is_new = 0;
            if (one->day > newest) newest = one->day;
            int64_t values[4] = {site, one->day, (int64_t)one->online, one->at};
            memcpy(into + 4 * written++, values, sizeof values);
        }
    for (uint32_t site = 1; site < of->site_room; site++) forget_peaks(of->sites + site, newest);
    return written;
}

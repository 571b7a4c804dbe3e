/* Counter rows of one partition: those held in memory, and what a flush changes. */

#ifndef LUOT_ROWS_H
#define LUOT_ROWS_H

#include "kernel.h"

/* As services/model/calendar.py has them. */
enum { BY_DAY, BY_MONTH, BY_YEAR, IN_ALL, GRAINS };

/* A row as it is in the store, in the list of all from the least to the most recently changed. */
typedef struct {
    int64_t position;
    uint64_t views, visits;
    uint32_t name; /* of its site and path */
    uint16_t start;
    uint8_t grain;
    uint32_t newer, older; /* row 0 is no row: it ties both ends of the list together */
} row;

/* Rows by name and period. Names of rows that are gone stay until it is packed. */
typedef struct {
    texts names;
    row *list;
    uint32_t count, room, held;
    uint32_t free;         /* a row that is gone, and leads to the next one by `newer`; or 0 */
    uint32_t *slots, mask; /* numbers of rows; 0 where there is none */
    uint64_t path_bytes;   /* of the paths of all rows */
    uint32_t packed_names;
    size_t packed_size;
    uint64_t evictions; /* when numbers of rows and names were given up */
    buffer scratch;
} rows;

/* Whether all that is added to a row is new to it. */
enum { UNCHANGED, WHOLLY, PARTLY };

/* What the runs of a flush add to a row; once applied, what the row is. */
typedef struct {
    uint64_t hash;
    uint32_t site, path; /* in the texts of the flush; path 0 is the whole site */
    uint16_t start;
    uint8_t grain, how;
    uint32_t name, row;  /* as they are held; row 0 is not held */
    int64_t first, last; /* as Added of fold.py has them */
    uint64_t views, visits;
} change;

/* The changes of a flush: they stay as they are, whatever becomes of the rows. */
typedef struct {
    run **runs;
    uint32_t run_count;
    texts texts;
    pages pages; /* those of all runs, and then the whole sites, whose path is 0 */
    uint32_t site_pages;
    change *list;
    uint32_t count, room, *slots, mask;
    uint32_t *of_page; /* the changes of each page, one for each grain */
    uint64_t evictions; /* those of the rows when the changes were found among them */
} changes;

#endif

/* The fold in C: what services/aggregator/fold.py and its parts do, over arrays instead of objects.

   The Python is the specification; a test holds both against each other on random logs. Functions
   that can fail return a negative number: NO_MEMORY; REFUSED for an entry that the Python decoder has
   to look at; OUT_OF_ORDER. Nothing here is called by two threads at once but `luot_column` and `luot_changed_column`, which only
   read. */

#ifndef LUOT_KERNEL_H
#define LUOT_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__SIZEOF_INT128__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a 64-bit little-endian processor is needed; elsewhere Luot folds in Python"
#endif

#define EXPORT __attribute__((visibility("default")))

enum { REFUSED = -1, NO_MEMORY = -2, OUT_OF_ORDER = -3 };

/* Texts of hits, in the order of the batch format. */
enum {
    SITE, PATH, HOST, SOURCE, DEVICE, BROWSER, OS, COUNTRY, OWN_PATH,
    UTM_MEDIUM, UTM_CAMPAIGN, UTM_CONTENT, UTM_TERM, UTM_SOURCE, REGION, TEXTS
};

/* As services/model/hit.py has them. */
enum { UNDECIDED, STARTS, CONTINUES };

/* Distinct texts, numbered as they come; number 0 is the empty one. */
typedef struct { uint64_t hash; size_t at; uint32_t length; } text;
typedef struct {
    text *list;
    uint32_t count, room;
    uint32_t *slots; /* number + 1; 0 where there is none */
    uint32_t mask;
    uint8_t *bytes;
    size_t size, bytes_room;
} texts;

/* One entry of the log in a run. */
typedef struct { int64_t position, time; uint32_t first, hits; } entry;

/* What a run, or a flush, adds to one page: a (site, path, day). */
typedef struct {
    uint64_t hash;
    uint32_t site, path, day, views, visits;
    int64_t first; /* position of the first entry of the first run that has it */
    int64_t end;   /* position of the last view */
} page;

/* Distinct pages with an index: number + 1, or 0. */
typedef struct { page *list; uint32_t count, room, *slots, mask; } pages;

/* The hits of consecutive entries, column by column. */
typedef struct {
    uint32_t hits, room, repeated;
    texts texts;
    uint32_t *text[TEXTS]; /* numbers in `texts`; NULL where no hit has any */
    int64_t *at, *position;
    uint64_t *visitor, *view_id;
    int32_t *ago;
    uint16_t *day;
    uint8_t *visit, *bot;
    entry *entries;
    uint32_t entry_count, entry_room;
    int any_view_id;
    page *pages;
    uint32_t page_count;
} run;

/* Growing bytes. */
typedef struct { uint8_t *at; size_t size, room; } buffer;

int slots_grow(uint32_t **slots, uint32_t *mask, const void *list, size_t size, uint32_t count);
int texts_init(texts *of);
void texts_free(texts *of);
int64_t texts_number(texts *of, const uint8_t *at, uint32_t length);
int64_t texts_number_hashed(texts *of, const uint8_t *at, uint32_t length, uint64_t hash);
uint64_t mixed(uint64_t number, uint64_t with);
int is_utf8(const uint8_t *at, size_t length);

int buffer_room(buffer *to, size_t size);
int buffer_put(buffer *to, const void *bytes, size_t size);
int buffer_varint(buffer *to, uint64_t number);

uint64_t page_hash(const text *site, const text *path, uint32_t day);
int pages_init(pages *of, uint32_t expected);
page *pages_find(pages *of, uint64_t hash, uint32_t site, uint32_t path, uint32_t day);
void pages_free(pages *of);

int run_count_pages(run *of);
int run_keep(run *of, const uint8_t *kept);

#endif

#ifndef VANTAGE_TESTS_UNIT_RECORD_GOLDEN_H
#define VANTAGE_TESTS_UNIT_RECORD_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "proto/record/warts_rd.h"

/* The sample files of tests/golden (GOLDEN_DIR is set by meson). */
extern const char *const golden_names[]; /* without .warts, NULL at the end */

/* A file's bytes, appended. */
void golden_read(const char *name, const char *suffix, struct buf *ret);
void golden_load(const char *path, struct buf *ret);

/* What to do with each item of a stream. */
typedef void golden_put(struct buf *, const struct warts_item *);
void golden_put_warts(struct buf *, const struct warts_item *);
void golden_put_json(struct buf *, const struct warts_item *);
void golden_put_text(struct buf *, const struct warts_item *);

/* Runs all of it; the reader's last code (0 at a clean end). */
int golden_convert(const void *bytes, size_t len, golden_put *, struct buf *ret, struct errbuf *err);

#endif

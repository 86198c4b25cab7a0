#ifndef VANTAGE_PROTO_RECORD_IFNAME_H
#define VANTAGE_PROTO_RECORD_IFNAME_H

#include <stddef.h>

/*
 * Interface names met in a file, each kept once for as long as the reader
 * lives, so that replies can borrow them. A machine has few; a hostile file is
 * stopped at WARTS_NAMES_MAX.
 */
#define WARTS_NAMES_MAX 4096
#define WARTS_NAME_LEN 255

struct warts_names;

struct warts_names *warts_names_new(void);
void warts_names_free(struct warts_names *);

/* The kept copy of len bytes; NULL without memory, room, or when too long. */
const char *warts_names_keep(struct warts_names *, const char *name, size_t len);

#endif

#ifndef VANTAGE_COMMON_CONF_H
#define VANTAGE_COMMON_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/conf_slice.h"
#include "common/err.h"

/*
 * The configuration file, vantage.conf(5): one "word value" a line, # starts a
 * comment. Both processes read the same file, so every word is known here,
 * whoever uses it. The command line sets the same words with conf_set.
 */

#define CONF_PATH_MAX 256
#define CONF_CONTROLS_MAX 8
#define CONF_DNP_MAX 16
#define CONF_PORTS_MAX 16
#define CONF_LISTENS_MAX 4
#define CONF_FILE_MAX 65536 /* bytes: nobody writes a longer one by hand */

struct conf_paths {
	uint32_t count;
	char path[CONF_DNP_MAX][CONF_PATH_MAX];
};

struct conf_port {
	uint8_t ipproto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;
};

struct conf_ports {
	uint32_t count;
	struct conf_port port[CONF_PORTS_MAX];
};

/* Where clients may come by TCP. */
struct conf_listen {
	struct addr addr;
	uint16_t port;
};

struct conf_listens {
	uint32_t count;
	struct conf_listen at[CONF_LISTENS_MAX];
};

struct conf {
	char user[CONF_NAME_MAX]; /* the worker's */
	char group[CONF_NAME_MAX];
	char privd_user[CONF_NAME_MAX]; /* the helper's */
	char privd_group[CONF_NAME_MAX];
	uint32_t mark;    /* top byte of the packet marks that are ours */
	uint32_t max_pps; /* what the kernel lets through */
	uint32_t pps;     /* what the worker paces to */
	uint32_t window;
	uint32_t hold_s;
	struct addr nameserver; /* family NONE: there is none */
	bool spoof;
	bool local;
	struct conf_paths dnp;
	struct conf_paths control;
	struct conf_ports ports;
	struct conf_listens listens;
	char operators[CONF_NAME_MAX]; /* a group; "": the worker's */
	char tcp_slice[CONF_NAME_MAX]; /* whose the clients of a TCP socket are */
	struct conf_slices slices;
};

void conf_init(struct conf *);

/* One word. -ENOENT: no such word; -EINVAL, -ERANGE, -E2BIG: its value; the
 * sentence names the word and the range. */
int conf_set(struct conf *, const char *word, const char *value, struct errbuf *reterr);

/*
 * The whole file; errors say file:line:column. A missing file is -ENOENT. A
 * file that others than its owner may write, or whose owner is neither root
 * nor ourselves, is -EPERM: it would be their word, not the administrator's.
 */
int conf_read(struct conf *, const char *path, struct errbuf *reterr);

/* The same, and somebody is told of each line once it has been taken, and may
 * refuse it: a negative errno with the sentence, which gets line and column. */
struct conf_line {
	const char *word;
	const char *value;
	uint32_t number;
	uint32_t column; /* of the value */
};

typedef int conf_visit(void *ctx, struct conf *, const struct conf_line *, struct errbuf *reterr);

int conf_read_each(struct conf *, const char *path, conf_visit *, void *ctx, struct errbuf *reterr);

/* conf_put.c: the other way. The lines "word value" of which conf_set makes the
 * same configuration again. */
void conf_put(const struct conf *, struct buf *);

/* What a running service can take over from another configuration, and the
 * words whose values differ and that only a restart can change. */
void conf_take_live(struct conf *, const struct conf *from);
void conf_diff(const struct conf *, const struct conf *, void (*differs)(void *ctx, const char *word), void *ctx);

#endif

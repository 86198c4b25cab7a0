#ifndef VANTAGE_COMMON_CONF_WORDS_H
#define VANTAGE_COMMON_CONF_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

/* The table behind the configuration file; conf*.c alone includes it. */

enum conf_kind {
	CONF_U32,
	CONF_YESNO,
	CONF_NAME,
	CONF_ADDR,
	CONF_PATHS,
	CONF_PORT,
	CONF_LISTEN,
	CONF_SLICE,
	CONF_KINDS
};

struct conf_word {
	const char *word;
	enum conf_kind kind;
	size_t offset;
	uint32_t min;
	uint32_t max; /* CONF_PATHS: how many */
	uint32_t preset;
	const char *preset_name;
	bool live; /* a running service can take another value */
};

#define CONF_WORDS 19

extern const struct conf_word conf_words[CONF_WORDS];

static inline void *
conf_at(struct conf *conf, const struct conf_word *w)
{
	return (uint8_t *)conf + w->offset;
}

static inline const void *
conf_at_const(const struct conf *conf, const struct conf_word *w)
{
	return (const uint8_t *)conf + w->offset;
}

#endif

#ifndef VANTAGE_WORKERD_CTL_CMD_H
#define VANTAGE_WORKERD_CTL_CMD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The commands of the interactive state (control.md section 2): one sorted
 * table, one file per command.
 */
struct session;

struct cmd {
	const char *name;
	const char *usage; /* what follows the name */
	const char *help;  /* one line */
	/* rest is what follows the name's blank, "" for nothing; may be cut. */
	void (*run)(struct session *, char *rest);
};

/* cmd_count rows, by name. */
extern const struct cmd cmds[];
extern const size_t cmd_count;

void cmd_run(struct session *, char *line);
/* Any case; NULL: no such command. */
const struct cmd *cmd_find(const char *name);

/* Cuts the first word off; what follows its blank is *ret_rest. */
char *cmd_word(char *line, char **ret_rest);

/* Verbs below a command ("set pps 5") are tables of the same rows, sorted. */
struct cmd_verbs {
	const struct cmd *rows;
	size_t count;
	const char *usage;   /* the answer to none of them */
	const char *command; /* "set ", as the answer to an unknown one names it */
};

/* The verb of that name; NULL: it has been answered. */
const struct cmd *cmd_verb(struct session *, const struct cmd_verbs *, const char *name);

/* "KEY VALUE..." behind a command. set takes one: 0; -ENOENT: no such key, or no
 * value for it; another errno: it has been answered. True, or it has been answered,
 * by errors that begin with these words. */
struct cmd_pairs {
	const char *unsplit; /* "source add params_get failed" */
	const char *param;   /* "source add param", and the key behind it */
	int (*set)(struct session *, void *values, const char *key, const char *value);
};

bool cmd_pairs(struct session *, const struct cmd_pairs *, char *rest, void *values);

void cmd_attach(struct session *, char *rest);
void cmd_config(struct session *, char *rest);
void cmd_describe(struct session *, char *rest);
void cmd_exit(struct session *, char *rest);
void cmd_get(struct session *, char *rest);
void cmd_halt(struct session *, char *rest);
void cmd_help(struct session *, char *rest);
void cmd_lss_clear(struct session *, char *rest);
void cmd_observe(struct session *, char *rest);
void cmd_outfile(struct session *, char *rest);
void cmd_set(struct session *, char *rest);
void cmd_shutdown(struct session *, char *rest);
void cmd_source(struct session *, char *rest);
void cmd_status(struct session *, char *rest);

#endif

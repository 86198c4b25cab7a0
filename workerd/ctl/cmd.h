#ifndef VANTAGE_WORKERD_CTL_CMD_H
#define VANTAGE_WORKERD_CTL_CMD_H

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

/* Sorted by name; cmd_count rows. */
extern const struct cmd cmds[];
extern const size_t cmd_count;

void cmd_run(struct session *, char *line);
/* Any case; NULL: no such command. */
const struct cmd *cmd_find(const char *name);

/* Cuts the first word off; what follows its blank is *ret_rest. */
char *cmd_word(char *line, char **ret_rest);

/* Verbs below a command ("get pps") are tables of the same rows. */
const struct cmd *cmd_find_in(const struct cmd *table, size_t count, const char *name);

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

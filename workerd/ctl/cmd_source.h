#ifndef VANTAGE_WORKERD_CTL_CMD_SOURCE_H
#define VANTAGE_WORKERD_CTL_CMD_SOURCE_H

/* What the two halves of the command "source" share. */
struct session;

#define SOURCE_PRIORITY_MAX 100000

void source_add(struct session *, char *rest);
/* The first word, quoted or not, cut off; *ret_rest is what follows. */
char *source_name(char *rest, char **ret_rest);

#endif

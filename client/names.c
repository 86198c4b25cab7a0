#include "client/names.h"

#include <string.h>
#include <strings.h>

#define QUOTES "\"'"

static bool
is_ptr(const char *word, size_t len)
{
	if (len > 2 && strchr(QUOTES, word[0]) != NULL && word[len - 1] == word[0]) {
		word++;
		len -= 2;
	}
	return len == 3 && strncasecmp(word, "ptr", 3) == 0;
}

bool
names_wanted(const char *command)
{
	bool option = false; /* the word before was one that has -O last */
	size_t len;

	if (strncasecmp(command, "trace ", 6) != 0)
		return false;
	for (const char *p = command + 6; *p != '\0' && *p != '\n'; p += len) {
		p += strspn(p, " ");
		len = strcspn(p, " \n");
		if (option && is_ptr(p, len))
			return true;
		option = len > 1 && p[0] == '-' && p[len - 1] == 'O';
	}
	return false;
}

bool
names_may_be_wanted(const struct opts *o)
{
	bool may = o->cmdfile || strcasestr(o->command, "ptr") != NULL;

	for (uint32_t i = 0; !may && o->mode != MODE_FILE && i < o->operand_count; i++)
		may = strcasestr(o->operands[i], "ptr") != NULL;
	return may;
}

#include "fuzz.h"

#include <string.h>

#include "workerd/meas/meas.h"

/* A refusal is one line that a terminal may be shown. */
static void
check_sentence(const char *text)
{
	must(text[0] != '\0');
	for (; *text != '\0'; text++)
		must(*text >= ' ' && *text <= '~');
}

static void
parse(const struct meas_type *type, struct meas_env *env, const char *text)
{
	struct errbuf err = { "" };
	struct meas *m = NULL;
	int rc = type->parse(type, env, text, &m, &err);

	must(rc <= 0);
	if (rc == 0) {
		must(m != NULL && m->type == type && m->task.ops != NULL);
		must(type->result(m) != NULL);
		type->free(m);
		return;
	}
	must(m == NULL);
	check_sentence(err.text);
}

/* The same options and target, as every measurement of the registry reads them. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; meas_types[i] != NULL; i++) {
		const struct meas_type *type = meas_types[i];
		struct meas_env env = { .owner = "fuzz" };

		if (type->shared_new != NULL)
			env.shared = type->shared_new();
		parse(type, &env, text);
		if (type->shared_free != NULL)
			type->shared_free(env.shared);
	}
	free(text);
	return 0;
}

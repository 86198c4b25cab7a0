/* Stands in for libFuzzer in a plain build: runs a target over each file of the
 * directories named, then over every cut and many flips of it. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define SEED_MAX (1u << 20)
#define CUT_MAX 4096u
#define FLIP_MAX 2048u

static void
run_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0)); /* of the exact size, for ASan */

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
run_variants(uint8_t *data, size_t len)
{
	run_copy(data, len);
	for (size_t cut = 0; cut < len && cut < CUT_MAX; cut++)
		run_copy(data, cut);
	for (size_t at = 0; at < len && at < FLIP_MAX; at++) {
		uint8_t was = data[at];

		data[at] = 0xff;
		run_copy(data, len);
		data[at] = (uint8_t)(was ^ 1u << at % 8);
		run_copy(data, len);
		data[at] = was;
	}
}

static int
replay_file(const char *dir, const char *name, uint8_t *buf)
{
	char path[4096];
	size_t len;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -1;
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	len = fread(buf, 1, SEED_MAX, f);
	(void)fclose(f);
	run_variants(buf, len);
	return 0;
}

static int
replay_dir(const char *dir, uint8_t *buf)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int seeds = 0;

	if (d == NULL) {
		perror(dir);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (replay_file(dir, e->d_name, buf) != 0) {
			(void)closedir(d);
			return -1;
		}
		seeds++;
	}
	(void)closedir(d);
	(void)printf("%s: %d seeds\n", dir, seeds);
	return seeds > 0 ? 0 : -1; /* a target without seeds tests nothing */
}

int
main(int argc, char **argv)
{
	uint8_t *buf = malloc(SEED_MAX);
	int rc = argc > 1 && buf != NULL ? 0 : -1;

	for (int i = 1; i < argc && rc == 0; i++)
		rc = replay_dir(argv[i], buf);
	free(buf);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "golden.h"

/* Both as text, so that a difference can be read. */
static void
same_text(const char *name, struct buf *got, struct buf *want)
{
	buf_u8(got, 0);
	buf_u8(want, 0);
	if (strcmp((char *)got->p, (char *)want->p) != 0)
		print_error("%s:\n", name);
	assert_string_equal((char *)got->p, (char *)want->p);
}

/* Drops lines of the types that we do not decode, and repairs what the
 * reference prints wrong (text-json.md section 20, no. 12). */
static void
expected_json(const struct buf *in, struct buf *out)
{
	char *text = strndup((const char *)in->p, in->len);
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *tsps = strstr(line, "\"probe_tsps\":[");

		if (strstr(line, "\"type\":\"owamp\"") != NULL ||
		    strstr(line, "\"type\":\"dealias\"") != NULL)
			continue;
		for (char *p = line; *p != '\0'; p++) {
			buf_u8(out, (uint8_t)*p);
			if (tsps != NULL && p > tsps && p < strchr(tsps, ']') && p[0] == '"' && p[1] == '"')
				buf_u8(out, ',');
		}
		buf_u8(out, '\n');
	}
	free(text);
}

static void
samples_print_the_reference_json(void **state)
{
	for (size_t i = 0; golden_names[i] != NULL; i++) {
		struct buf in, json, want, got;
		struct errbuf err;

		buf_init(&in, 0);
		buf_init(&json, 0);
		buf_init(&want, 0);
		buf_init(&got, 0);
		golden_read(golden_names[i], ".warts", &in);
		golden_read(golden_names[i], ".json", &json);
		expected_json(&json, &want);
		assert_int_equal(golden_convert(in.p, in.len, golden_put_json, &got, &err), 0);
		same_text(golden_names[i], &got, &want);
		buf_fini(&in);
		buf_fini(&json);
		buf_fini(&want);
		buf_fini(&got);
	}
	(void)state;
}

/* Files with parts that nobody knows, or that nobody writes any more. */
static bool
loses_parts(const char *name)
{
	return strcmp(name, "synth-legacy-gid") == 0 || strcmp(name, "synth-unknown-params") == 0 ||
	       strcmp(name, "synth-trace-attrs") == 0 || strcmp(name, "synth-owamp") == 0 ||
	       strcmp(name, "synth-prefixscan-xs") == 0;
}

static void
samples_encode_to_the_same_bytes(void **state)
{
	for (size_t i = 0; golden_names[i] != NULL; i++) {
		struct buf in, got, again;
		struct errbuf err;

		buf_init(&in, 0);
		buf_init(&got, 0);
		buf_init(&again, 0);
		golden_read(golden_names[i], ".warts", &in);
		assert_int_equal(golden_convert(in.p, in.len, golden_put_warts, &got, &err), 0);
		if (!loses_parts(golden_names[i])) {
			if (got.len != in.len || memcmp(got.p, in.p, in.len) != 0)
				print_error("%s: %zu bytes became %zu\n", golden_names[i], in.len, got.len);
			assert_int_equal(got.len, in.len);
			assert_memory_equal(got.p, in.p, in.len);
		}
		assert_int_equal(golden_convert(got.p, got.len, golden_put_warts, &again, &err), 0);
		assert_int_equal(again.len, got.len);
		assert_memory_equal(again.p, got.p, got.len);
		buf_fini(&in);
		buf_fini(&got);
		buf_fini(&again);
	}
	(void)state;
}

/* Offsets at which a record ends. */
static size_t
next_border(const struct buf *b, size_t at)
{
	return at + 8 +
	       ((size_t)b->p[at + 4] << 24 | (size_t)b->p[at + 5] << 16 | (size_t)b->p[at + 6] << 8 |
		   b->p[at + 7]);
}

static void
every_cut_is_an_error_except_between_records(void **state)
{
	for (size_t i = 0; golden_names[i] != NULL; i++) {
		struct errbuf err;
		size_t border = 0;
		struct buf in;

		buf_init(&in, 0);
		golden_read(golden_names[i], ".warts", &in);
		for (size_t n = 0; n <= in.len; n++) {
			uint8_t *exact = malloc(n + 1); /* so that ASan sees a read behind the cut */
			int code;

			memcpy(exact, in.p, n);
			code = golden_convert(exact, n, NULL, NULL, &err);
			free(exact);
			assert_int_equal(code, n == border ? 0 : -EBADMSG);
			if (n == border && n < in.len)
				border = next_border(&in, border);
			else if (n != border)
				assert_non_null(strstr(err.text, "offset "));
		}
		assert_int_equal(border, in.len);
		buf_fini(&in);
	}
	(void)state;
}

/* Samples whose text is in tests/golden/NAME.txt. */
static const char *const texts[] = { "ping-icmp", "ping-loss", "ping-rr", "ping-ts", "ping-icmp-time",
	"ping-tcp", "ping-udp", "ping-ttlexp", "trace-udp-paris", "trace-icmp-paris-q3Q", "trace-gaplimit",
	"trace-tcp-open", "trace-unreach", "trace-pmtud", "trace-pmtud-silent", "trace6-pmtud",
	"trace-extra-hops", NULL };

static void
samples_print_the_reference_text(void **state)
{
	for (size_t i = 0; texts[i] != NULL; i++) {
		struct buf in, want, got;
		struct errbuf err;

		buf_init(&in, 0);
		buf_init(&want, 0);
		buf_init(&got, 0);
		golden_read(texts[i], ".warts", &in);
		golden_read(texts[i], ".txt", &want);
		assert_int_equal(golden_convert(in.p, in.len, golden_put_text, &got, &err), 0);
		same_text(texts[i], &got, &want);
		buf_fini(&in);
		buf_fini(&want);
		buf_fini(&got);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_print_the_reference_json),
		cmocka_unit_test(samples_encode_to_the_same_bytes),
		cmocka_unit_test(samples_print_the_reference_text),
		cmocka_unit_test(every_cut_is_an_error_except_between_records),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

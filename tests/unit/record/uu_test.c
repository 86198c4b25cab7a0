#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/uu.h"

static const struct {
	const char *bytes;
	const char *text;
} pairs[] = {
	{ "", "`\n" },
	{ "a", "!80``\n`\n" },
	{ "abc", "#86)C\n`\n" },
	{ "abcd", "$86)C9```\n`\n" },
	{ "The quick brown fox jumps over the lazy dog ab",
	    "M5&AE('%U:6-K(&)R;W=N(&9O>\"!J=6UP<R!O=F5R('1H92!L87IY(&1O9R!A\n!8@``\n`\n" },
};

static void
known_texts_go_both_ways(void **state)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t n = strlen(pairs[i].bytes), len = uu_encoded_len(n);
		uint8_t text[256];
		struct buf b;

		assert_int_equal(len, strlen(pairs[i].text));
		uu_encode(text, (const uint8_t *)pairs[i].bytes, n);
		assert_memory_equal(text, pairs[i].text, len);
		buf_init(&b, 0);
		assert_int_equal(uu_decode(pairs[i].text, len, &b), 0);
		assert_int_equal(b.len, n);
		if (n > 0)
			assert_memory_equal(b.p, pairs[i].bytes, n);
		buf_fini(&b);
	}
	(void)state;
}

static void
every_length_comes_back(void **state)
{
	uint8_t in[300], text[512];
	struct buf b;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t len = uu_encoded_len(n);

		assert_true(len < sizeof(text));
		text[len] = 0xaa;
		uu_encode(text, in, n);
		assert_int_equal(text[len], 0xaa);
		assert_int_equal(text[len - 1], '\n');
		buf_init(&b, 0);
		assert_int_equal(uu_decode((char *)text, len, &b), 0);
		assert_int_equal(b.len, n);
		if (n > 0)
			assert_memory_equal(b.p, in, n);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(uu_decode((char *)text, cut, &b), -EBADMSG);
		assert_int_equal(b.len, n);
		buf_fini(&b);
	}
	(void)state;
}

static void
bad_texts_are_refused(void **state)
{
	static const char *const bad[] = { "", "`", "\n", "#86)C\n", "#86)C`\n`\n", "#86)\n`\n",
		"#86\x7f"
		"C\n`\n",
		"`\n`\n",
		"\x1f"
		"aaaa\n`\n",
		"z86)C\n`\n", "#86)C\n`\nx", "#86a)\n`\n" };
	struct buf b;

	buf_init(&b, 0);
	buf_text(&b, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(uu_decode(bad[i], strlen(bad[i]), &b), -EBADMSG);
	assert_int_equal(b.len, 4);
	buf_fini(&b);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts_go_both_ways),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(bad_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

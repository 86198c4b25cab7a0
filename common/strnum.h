#ifndef VANTAGE_COMMON_STRNUM_H
#define VANTAGE_COMMON_STRNUM_H

#include <stdint.h>

/*
 * Whole-text number parsing: no leading blanks, no trailing text, a range.
 * 0, -EINVAL when the text is no number, -ERANGE when it is outside min..max.
 * *ret is written only on success.
 */
int strnum_i64(const char *text, int64_t min, int64_t max, int64_t *ret);
int strnum_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);

/*
 * A time: unsigned decimal, optional fraction, optional suffix s, ms or us;
 * without a suffix it counts units of unit_us microseconds. Finer than a
 * microsecond is -EINVAL. The result is in microseconds.
 */
int strnum_time_us(const char *text, uint32_t unit_us, uint64_t *ret_us);

/* Hex digits, even in number, at most cap bytes. *ret_len is bytes written. */
int strnum_hex(const char *text, uint8_t *buf, uint32_t cap, uint32_t *ret_len);

#endif

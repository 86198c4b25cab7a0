#ifndef VANTAGE_CLIENT_JSONRD_H
#define VANTAGE_CLIENT_JSONRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looking things up in a JSON text in place: no tree, no memory. A value is a
 * pointer to its first byte inside a text that json_valid has accepted; NULL is
 * the value that is not there, and every function takes it.
 */

/* A whole value of at most JSON_DEPTH_MAX levels, and nothing behind it. */
#define JSON_DEPTH_MAX 8
bool json_valid(const char *text);

/* The member of an object; NULL: none, or no object. */
const char *json_member(const char *object, const char *key);
/* The first element of an array, and the one after an element; NULL: no more. */
const char *json_first(const char *array);
const char *json_next(const char *element);

/* 0 for what is no such number. */
uint64_t json_u64(const char *value);
/* A string, cut to cap, what cannot be printed as '?'; "" for what is none. */
const char *json_text(const char *value, char *buf, size_t cap);

#endif

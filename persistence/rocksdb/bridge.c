//go:build cgo && !norocksdb && unix

#include <stdlib.h>
#include <string.h>
#include "bridge.h"

static char *concat(const char *first, size_t first_len, const char *const *tails, const size_t *lens, int n, size_t *total)
{
	*total = first_len;
	for (int i = 0; i < n; i++)
		*total += lens[i];
	char *all = malloc(*total > 0 ? *total : 1);
	if (all == NULL)
		return NULL;
	char *at = all;
	if (first_len > 0)
		memcpy(at, first, first_len);
	at += first_len;
	for (int i = 0; i < n; i++) {
		if (lens[i] > 0)
			memcpy(at, tails[i], lens[i]);
		at += lens[i];
	}
	return all;
}

static char *full_merge(void *state, const char *key, size_t key_len, const char *old, size_t old_len,
	const char *const *tails, const size_t *lens, int n, unsigned char *ok, size_t *total)
{
	char *all = concat(old, old == NULL ? 0 : old_len, tails, lens, n, total);
	*ok = all != NULL;
	return all;
}

static char *partial_merge(void *state, const char *key, size_t key_len,
	const char *const *tails, const size_t *lens, int n, unsigned char *ok, size_t *total)
{
	char *all = concat(NULL, 0, tails, lens, n, total);
	*ok = all != NULL;
	return all;
}

static void delete_value(void *state, const char *value, size_t len) { free((void *)value); }
static void destroy(void *state) {}
static const char *name(void *state) { return "weir.append"; }

rocksdb_mergeoperator_t *weir_append_operator(void)
{
	return rocksdb_mergeoperator_create(NULL, destroy, full_merge, partial_merge, delete_value, name);
}

int weir_get(rocksdb_t *db, const rocksdb_readoptions_t *ro, const char *key, size_t len, weir_result *out)
{
	out->pinned = rocksdb_get_pinned(db, ro, key, len, &out->err);
	if (out->err != NULL)
		return -1;
	if (out->pinned == NULL)
		return 0;
	out->value = rocksdb_pinnableslice_value(out->pinned, &out->value_len);
	return 1;
}

void weir_got(weir_result *out)
{
	rocksdb_pinnableslice_destroy(out->pinned);
	out->pinned = NULL;
}

int weir_scan(rocksdb_iterator_t *it, int step, const char *prefix, size_t len, weir_result *out)
{
	if (step)
		rocksdb_iter_next(it);
	else
		rocksdb_iter_seek(it, prefix, len);
	if (!rocksdb_iter_valid(it)) {
		rocksdb_iter_get_error(it, &out->err);
		return out->err != NULL ? -1 : 0;
	}
	out->key = rocksdb_iter_key(it, &out->key_len);
	if (out->key_len < len || memcmp(out->key, prefix, len) != 0)
		return 0;
	out->value = rocksdb_iter_value(it, &out->value_len);
	return 1;
}

void weir_delete_range(rocksdb_t *db, const rocksdb_writeoptions_t *wo, const char *from, size_t from_len,
	const char *to, size_t to_len, weir_result *out)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	rocksdb_writebatch_delete_range(batch, from, from_len, to, to_len);
	rocksdb_write(db, wo, batch, &out->err);
	rocksdb_writebatch_destroy(batch);
}

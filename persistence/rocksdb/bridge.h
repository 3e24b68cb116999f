#include <stddef.h>
#include <rocksdb/c.h>

// What calls give back. It lies in C memory, so that a call costs no allocation in Go.
typedef struct {
	const char *key, *value; // of an iterator; valid until its next step
	size_t key_len, value_len;
	rocksdb_pinnableslice_t *pinned; // of a get; holds value
	char *err;                       // to be freed, or NULL
} weir_result;

// The merge operator behind Append: the old value, if any, then the tails in order.
rocksdb_mergeoperator_t *weir_append_operator(void);

// Finds a key: 1 and value in out, which weir_got releases, or 0, or -1 and err.
int weir_get(rocksdb_t *db, const rocksdb_readoptions_t *ro, const char *key, size_t len, weir_result *out);
void weir_got(weir_result *out);

// Goes to the first key that is not less than prefix (step 0) or to the next one
// (step 1): 1 and the entry in out if it begins with prefix, or 0, or -1 and err.
int weir_scan(rocksdb_iterator_t *it, int step, const char *prefix, size_t len, weir_result *out);

// Removes the keys k with from <= k < to; out->err tells of a failure.
void weir_delete_range(rocksdb_t *db, const rocksdb_writeoptions_t *wo, const char *from, size_t from_len,
	const char *to, size_t to_len, weir_result *out);

/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "util/index.h"

#define KEYS 100000u

/*
 * The number of key, as a user asks for it; UINT32_MAX: none. ret_steps: how many slots were looked
 * at, if not NULL.
 */
static uint32_t find(const struct index *x, const uint64_t *keys, uint64_t key, uint32_t hash,
		     uint32_t *ret_steps)
{
	uint32_t at = index_start(x, hash), i;

	while (index_next(x, hash, &at, &i)) {
		if (keys[i] != key)
			continue;
		if (ret_steps)
			*ret_steps = ((at - index_start(x, hash)) & x->mask) + 1;
		return i;
	}
	return UINT32_MAX;
}

START_TEST(items_are_found_while_it_grows)
{
	_cleanup_free_ uint64_t *keys = calloc(KEYS, sizeof(*keys));
	struct index x = {};

	ck_assert_ptr_nonnull(keys);
	ck_assert_uint_eq(index_bytes(&x), 0);
	ck_assert_uint_eq(find(&x, keys, 1, index_hash(1, 0), NULL), UINT32_MAX);
	for (uint32_t i = 0; i < KEYS; i++) {
		keys[i] = i * UINT64_C(4096);
		ck_assert_int_eq(index_reserve(&x, 1), 0);
		ck_assert_uint_eq(find(&x, keys, keys[i], index_hash(keys[i], 7), NULL),
				  UINT32_MAX);
		index_add(&x, index_hash(keys[i], 7), i);
		if (i % 1000 != 0)
			continue;
		for (uint32_t k = 0; k <= i; k += 37)
			ck_assert_uint_eq(find(&x, keys, keys[k], index_hash(keys[k], 7), NULL), k);
	}
	for (uint32_t i = 0; i < KEYS; i++)
		ck_assert_uint_eq(find(&x, keys, keys[i], index_hash(keys[i], 7), NULL), i);
	ck_assert_uint_eq(x.used, KEYS);
	/* at most 3/4 full, and never less than 3/8 */
	ck_assert_uint_ge(index_bytes(&x) / sizeof(struct index_slot) * 3 / 4, KEYS);
	ck_assert_uint_le(index_bytes(&x) / sizeof(struct index_slot) * 3 / 8, KEYS);
	index_done(&x);
	ck_assert_ptr_null(x.slots);
	ck_assert_uint_eq(find(&x, keys, keys[0], index_hash(keys[0], 7), NULL), UINT32_MAX);
}
END_TEST

/* The user compares: what has the same hash is offered in turn, at the end of the table as well. */
START_TEST(items_of_one_hash)
{
	static const uint32_t hashes[] = { 0, 63, UINT32_MAX };

	for (size_t h = 0; h < ARRAY_SIZE(hashes); h++) {
		uint64_t keys[40];
		struct index x = {};

		for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++) {
			keys[i] = i;
			ck_assert_int_eq(index_reserve(&x, 1), 0);
			index_add(&x, hashes[h], i);
		}
		for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++)
			ck_assert_uint_eq(find(&x, keys, i, hashes[h], NULL), i);
		/* one with which they share slots, but no hash */
		ck_assert_uint_eq(find(&x, keys, 0, hashes[h] ^ 0x80000000, NULL), UINT32_MAX);
		index_done(&x);
	}
}
END_TEST

START_TEST(room_for_many_at_once)
{
	struct index x = {};
	struct index_slot *slots;

	ck_assert_int_eq(index_reserve(&x, 1000), 0);
	slots = x.slots;
	for (uint32_t i = 0; i < 1000; i++)
		index_add(&x, index_hash(i, 0), i);
	ck_assert_ptr_eq(x.slots, slots);
	/* too many: nothing has changed */
	ck_assert_int_eq(index_reserve(&x, UINT32_MAX), -ENOMEM);
	ck_assert_int_eq(index_reserve(&x, INDEX_MAX - 999), -ENOMEM);
	ck_assert_ptr_eq(x.slots, slots);
	ck_assert_uint_eq(x.used, 1000);
	index_done(&x);
}
END_TEST

/* The longest way to any of n keys. */
static uint32_t longest(const uint64_t *keys, uint32_t n, bool bytes)
{
	struct index x = {};
	uint32_t most = 0;

	ck_assert_int_eq(index_reserve(&x, n), 0);
	for (uint32_t i = 0; i < n; i++)
		index_add(&x, bytes ? index_hash_bytes(&keys[i], 8) : index_hash(keys[i], keys[i]),
			  i);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t steps,
			hash = bytes ? index_hash_bytes(&keys[i], 8) : index_hash(keys[i], keys[i]);

		ck_assert_uint_eq(find(&x, keys, keys[i], hash, &steps), i);
		most = MAX(most, steps);
	}
	index_done(&x);
	return most;
}

/* The secret of a later run. */
static void change_secret(void)
{
	uint8_t *bytes = (uint8_t *)&index_secret;

	for (size_t i = 0; i < sizeof(index_secret); i++)
		bytes[i] = (uint8_t)(bytes[i] * 5 + i + 1);
}

/* Keys that are alike, and keys that share slots by another secret: they are spread as any are. */
START_TEST(hostile_keys)
{
	enum { N = 3000 };
	uint64_t keys[N];

	for (int bytes = 0; bytes < 2; bytes++) {
		uint32_t n = 0;

		for (unsigned int shift = 0; shift < 52; shift += 4) {
			for (uint32_t i = 0; i < N; i++)
				keys[i] = (uint64_t)(i + 1) << shift;
			ck_assert_uint_lt(longest(keys, N, bytes), 300);
		}
		for (uint64_t k = 0; n < N; k++) {
			if (((bytes ? index_hash_bytes(&k, 8) : index_hash(k, k)) & 0x3ff) == 0x3ff)
				keys[n++] = k;
		}
		ck_assert_uint_gt(longest(keys, N, bytes), 500);
		change_secret();
		ck_assert_uint_lt(longest(keys, N, bytes), 300);
	}
}
END_TEST

/* Each run has other hashes. */
START_TEST(secret_is_of_the_run)
{
	uint32_t mine = index_hash(1, 2), other[2];

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		int ends[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe(ends), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			dup2(ends[1], STDOUT_FILENO);
			execl("/proc/self/exe", "check_index", "hash", NULL);
			_exit(1);
		}
		close(ends[1]);
		ck_assert_int_eq(read(ends[0], &other[i], sizeof(other[i])), sizeof(other[i]));
		close(ends[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	/* that two are the same happens once in 4 billion runs */
	ck_assert(mine != other[0] || mine != other[1]);
}
END_TEST

/* "check_index hash" says one hash and ends. */
int main(int argc, char **argv)
{
	const TTest *const tests[] = { items_are_found_while_it_grows, items_of_one_hash,
				       room_for_many_at_once, hostile_keys, secret_is_of_the_run };
	uint32_t hash = index_hash(1, 2);

	if (argc > 1)
		return write(STDOUT_FILENO, &hash, sizeof(hash)) == sizeof(hash) ? 0 : 1;
	return check_main("util/index", NULL, NULL, tests, ARRAY_SIZE(tests));
}

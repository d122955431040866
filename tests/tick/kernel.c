/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/process.h"
#include "util/macro.h"

#define MAPS  24
#define WHOLE 4
#define RING  (2u << 20)
/*
 * What the ring buffer puts before each record, BPF_RINGBUF_HDR_SZ; a record takes a multiple of 8
 * bytes.
 */
#define RING_HEAD 8

struct kernel kernel;

/*
 * An element by itself, so that AddressSanitizer sees what reaches beyond it. Of a hash map key and
 * value are one block each.
 */
struct element {
	void *key, *value;
	bool used; /* since kernel_reset() */
};

/* Elements of an array stand at their number; those of a hash map in no order. */
static struct table {
	struct kernel_map map;
	struct element *elements;
	__u32 n; /* of a hash map: how many there are */
} tables[MAPS];

static struct {
	void *start;
	size_t size;
} wholes[WHOLE];

static __u8 *ring;
static struct kernel_record *records;
static size_t nrecords, ring_used;

void kernel_require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s: not as the kernel allows it\n", what);
	abort();
}

static void *must(void *p)
{
	kernel_require(p != NULL, "malloc()");
	return p;
}

static bool is_array(const struct kernel_map *m)
{
	return m->type == BPF_MAP_TYPE_ARRAY;
}

static struct table *table_of(const struct kernel_map *m)
{
	for (size_t i = 0; i < MAPS; i++) {
		struct table *t = &tables[i];

		if (!t->map.at) {
			kernel_require(is_array(m) || m->type == BPF_MAP_TYPE_HASH, "type of map");
			t->map = *m;
			t->elements = must(calloc(m->entries, sizeof(*t->elements)));
		}
		if (t->map.at == m->at)
			return t;
	}
	kernel_require(false, "number of maps");
	return NULL;
}

static void wholes_open(void)
{
	for (size_t i = 0; i < WHOLE; i++)
		ASAN_UNPOISON_MEMORY_REGION(wholes[i].start, wholes[i].size);
}

static void wholes_shut(void)
{
	for (size_t i = 0; i < WHOLE; i++)
		ASAN_POISON_MEMORY_REGION(wholes[i].start, wholes[i].size);
}

void kernel_whole(void *start, size_t size)
{
	for (size_t i = 0; i < WHOLE; i++) {
		if (wholes[i].start && wholes[i].start != start)
			continue;
		wholes[i].start = start;
		wholes[i].size = size;
		ASAN_POISON_MEMORY_REGION(start, size);
		return;
	}
	kernel_require(false, "number of buffers");
}

static struct element *hash_find(struct table *t, const void *key)
{
	for (__u32 i = 0; i < t->n; i++) {
		if (memcmp(t->elements[i].key, key, t->map.key_size) == 0)
			return &t->elements[i];
	}
	return NULL;
}

static void *array_find(struct table *t, __u32 n)
{
	struct element *e;

	if (n >= t->map.entries)
		return NULL;
	e = &t->elements[n];
	if (!e->value)
		e->value = must(calloc(1, t->map.value_size));
	e->used = true;
	return e->value;
}

void *kernel_map_lookup(const struct kernel_map *m, const void *key)
{
	struct table *t = table_of(m);
	struct element *e;
	__u32 n;

	kernel.lookups++;
	if (is_array(m)) {
		memcpy(&n, key, sizeof(n));
		return array_find(t, n);
	}
	e = hash_find(t, key);
	return e ? e->value : NULL;
}

long kernel_map_update(const struct kernel_map *m, const void *key, const void *value, __u64 flags)
{
	struct table *t = table_of(m);
	__u32 most = MIN(kernel.hash_entries ? kernel.hash_entries : m->entries, m->entries), n;
	struct element *e;

	kernel_require(flags == BPF_ANY || (flags <= BPF_EXIST && !is_array(m)),
		       "flags of bpf_map_update_elem()");
	if (is_array(m)) {
		void *p;

		memcpy(&n, key, sizeof(n));
		p = array_find(t, n);
		if (!p)
			return -E2BIG;
		memcpy(p, value, m->value_size);
		return 0;
	}
	e = hash_find(t, key);
	if (e && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!e && flags == BPF_EXIST)
		return -ENOENT;
	if (!e) {
		if (t->n >= most)
			return -E2BIG;
		e = &t->elements[t->n++];
		e->key = must(malloc(m->key_size));
		e->value = must(malloc(m->value_size));
		memcpy(e->key, key, m->key_size);
	}
	memcpy(e->value, value, m->value_size);
	return 0;
}

static void element_free(struct element *e)
{
	free(e->key);
	free(e->value);
	*e = (struct element){};
}

long kernel_map_delete(const struct kernel_map *m, const void *key)
{
	struct table *t = table_of(m);
	struct element *e = is_array(m) ? NULL : hash_find(t, key);

	if (!e)
		return is_array(m) ? -EINVAL : -ENOENT;
	element_free(e);
	*e = t->elements[--t->n];
	t->elements[t->n] = (struct element){};
	return 0;
}

static void table_clear(struct table *t)
{
	if (!is_array(&t->map)) {
		while (t->n > 0)
			element_free(&t->elements[--t->n]);
		return;
	}
	for (__u32 i = 0; i < t->map.entries; i++) {
		if (t->elements[i].used)
			memset(t->elements[i].value, 0, t->map.value_size);
		t->elements[i].used = false;
	}
}

void kernel_reset(void)
{
	wholes_open();
	for (size_t i = 0; i < MAPS && tables[i].map.at; i++)
		table_clear(&tables[i]);
	wholes_shut();
	kernel_records_clear();
	kernel = (struct kernel){};
}

/*
 * Something is written to a buffer that is filled as a whole: of what it held nothing is left.
 * filled: of what it holds now.
 */
static void whole_fill(const void *to, __u32 size, __u32 filled)
{
	const __u8 *p = to;

	for (size_t i = 0; i < WHOLE; i++) {
		const __u8 *start = wholes[i].start;

		if (!start || p < start || p >= start + wholes[i].size)
			continue;
		kernel_require(size <= (size_t)(start + wholes[i].size - p), "size of a read");
		ASAN_POISON_MEMORY_REGION(start, wholes[i].size);
		ASAN_UNPOISON_MEMORY_REGION(p, filled);
	}
}

/* What fails leaves zeros (bpf_probe_read_user_common(), kernel/trace/bpf_trace.c). */
long kernel_read_user(void *to, __u32 size, size_t room, __u64 from)
{
	int r = -EFAULT;

	kernel_require(size <= room, "size of a read");
	kernel.reads++;
	kernel.bytes += size;
	whole_fill(to, size, size);
	if (size == 0)
		return 0;
	if (kernel.memory)
		r = reader_read(kernel.memory, from, to, size);
	if (r >= 0)
		return 0;
	kernel.faults++;
	memset(to, 0, size);
	whole_fill(to, size, 0);
	return -EFAULT;
}

long kernel_read_user_str(void *to, __u32 size, size_t room, __u64 from)
{
	char *s = to;
	int r;

	kernel_require(size > 0 && size <= room, "size of a read");
	kernel.reads++;
	memset(s, 0, size);
	for (__u32 i = 0; i < size; i++) {
		r = kernel.memory ? reader_read(kernel.memory, from + i, s + i, 1) : -EFAULT;
		if (r < 0) {
			kernel.faults++;
			memset(s, 0, size);
			return -EFAULT;
		}
		kernel.bytes++;
		if (!s[i])
			return i + 1;
	}
	s[size - 1] = 0;
	return size;
}

long kernel_ring_output(const void *data, __u64 size, __u64 flags)
{
	size_t takes = (size_t)(size + RING_HEAD + 7) & ~(size_t)7;

	kernel_require((flags & ~(__u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) == 0,
		       "flags of bpf_ringbuf_output()");
	if (size > RING || kernel.ring_waiting + ring_used + takes > RING)
		return -EAGAIN;
	if (!ring) {
		ring = must(malloc(RING));
		records = must(calloc(RING / RING_HEAD, sizeof(*records)));
	}
	memcpy(ring + ring_used, data, size);
	records[nrecords++] = (struct kernel_record){ ring + ring_used, (__u32)size, flags };
	ring_used += takes;
	return 0;
}

__u64 kernel_ring_query(__u64 what)
{
	kernel_require(what == BPF_RB_AVAIL_DATA, "bpf_ringbuf_query()");
	return kernel.ring_waiting + ring_used;
}

size_t kernel_records(void)
{
	return nrecords;
}

struct kernel_record kernel_record(size_t i)
{
	kernel_require(i < nrecords, "number of a record");
	return records[i];
}

void kernel_records_clear(void)
{
	nrecords = ring_used = 0;
}

__u64 kernel_clock(void)
{
	kernel.clocks++;
	kernel.now += kernel.step;
	return kernel.now;
}

__u64 kernel_pid_tgid(void)
{
	const struct task_struct *t = &kernel.current->task;

	return (__u64)(__u32)t->tgid << 32 | (__u32)t->pid;
}

__u64 kernel_cgroup(int level)
{
	return level >= 0 && (size_t)level < ARRAY_SIZE(kernel.cgroups) ? kernel.cgroups[level] : 0;
}

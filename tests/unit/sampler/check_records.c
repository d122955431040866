/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/bpf.h>
#include <sys/mman.h>

#include "check_main.h"
#include "sampler/records.h"

/* A file that is as the kernel shows a ring buffer. */
#define SIZE (128u << 10)

struct ring {
	int fd;
	size_t page;
	uint64_t *produced;
	uint8_t *data;
	struct records records;
	uint32_t next, seen; /* what each record says: its number */
	uint32_t most;       /* each() wants no more than that at once */
};

static void setup(struct ring *r)
{
	void *p;

	*r = (struct ring){ .page = (size_t)sysconf(_SC_PAGESIZE), .most = UINT32_MAX };
	r->fd = memfd_create("ring", MFD_CLOEXEC);
	ck_assert_int_ge(r->fd, 0);
	ck_assert_int_eq(ftruncate(r->fd, (off_t)(2 * r->page + 2 * SIZE)), 0);
	p = mmap(NULL, 2 * r->page + 2 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	r->produced = (uint64_t *)((uint8_t *)p + r->page);
	r->data = (uint8_t *)p + 2 * r->page;
	ck_assert_int_eq(records_open(r->fd, SIZE, &r->records), 0);
}

static void teardown(struct ring *r)
{
	records_close(&r->records);
	munmap(r->data - 2 * r->page, 2 * r->page + 2 * SIZE);
	close(r->fd);
}

static void put(struct ring *r, uint64_t position, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t at = (position + i) % SIZE;

		r->data[at] = r->data[SIZE + at] = ((const uint8_t *)from)[i];
	}
}

/* A record of that size, all of whose words are its number; flags: BPF_RINGBUF_*_BIT. */
static void send(struct ring *r, uint32_t size, uint32_t flags)
{
	uint64_t at = *r->produced;
	uint32_t head[2] = { size | flags, 0 };

	put(r, at, head, sizeof(head));
	for (uint32_t i = 0; i < size; i += 4)
		put(r, at + sizeof(head) + i, &r->next, 4);
	r->next += !(flags & BPF_RINGBUF_DISCARD_BIT);
	*r->produced = at + sizeof(head) + (size + 7) / 8 * 8;
}

static int each(void *ctx, const void *data, size_t size)
{
	struct ring *r = ctx;
	const uint32_t *words = data;

	for (size_t i = 0; i < size / 4; i++)
		ck_assert_uint_eq(words[i], r->seen);
	r->seen++;
	return r->seen % r->most ? 0 : 7;
}

/* Some hundred times round, records of all sizes over the ends of windows and of the buffer. */
START_TEST(round_and_round)
{
	struct ring r;

	setup(&r);
	for (uint32_t i = 0; i < 20000; i++) {
		send(&r, 4 + i * 4 % 2400, i % 7 == 3 ? BPF_RINGBUF_DISCARD_BIT : 0);
		if (i % 40 == 39)
			ck_assert_int_eq(records_consume(&r.records, each, &r), 0);
	}
	ck_assert_uint_gt(*r.produced, 100 * (uint64_t)SIZE);
	ck_assert_uint_eq(r.seen, r.next);
	ck_assert_uint_eq(*r.records.consumed, *r.produced);
	teardown(&r);
}
END_TEST

/* Who wants no more gets the next one the next time; one that is being written is waited for. */
START_TEST(stops)
{
	struct ring r;
	uint64_t at;

	setup(&r);
	r.most = 2;
	for (int i = 0; i < 3; i++)
		send(&r, 100, 0);
	ck_assert_int_eq(records_consume(&r.records, each, &r), 7);
	ck_assert_uint_eq(r.seen, 2);
	r.most = UINT32_MAX;
	ck_assert_int_eq(records_consume(&r.records, each, &r), 0);
	ck_assert_uint_eq(r.seen, 3);
	at = *r.produced;
	send(&r, 100, BPF_RINGBUF_BUSY_BIT);
	send(&r, 100, 0);
	ck_assert_int_eq(records_consume(&r.records, each, &r), 0);
	ck_assert_uint_eq(r.seen, 3);
	put(&r, at, &(uint32_t){ 100 }, 4);
	ck_assert_int_eq(records_consume(&r.records, each, &r), 0);
	ck_assert_uint_eq(r.seen, 5);
	teardown(&r);
}
END_TEST

/* Nothing that plop sends is longer than a window: it is passed over. */
START_TEST(too_long)
{
	struct ring r;

	setup(&r);
	send(&r, (uint32_t)r.records.window_size, 0);
	r.seen = 1;
	send(&r, 100, 0);
	ck_assert_int_eq(records_consume(&r.records, each, &r), 0);
	ck_assert_uint_eq(r.seen, 2);
	ck_assert_uint_eq(*r.records.consumed, *r.produced);
	teardown(&r);
}
END_TEST

CHECK_MAIN("records", round_and_round, stops, too_long);

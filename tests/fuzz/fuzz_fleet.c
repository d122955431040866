/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of a fleet's store, which many hosts fill: rows, stacks, processes, hosts, requests. */
#include "fuzz.h"
#include "fleet/decode.h"
#include "ship/requests.h"

static void rows(const struct buf *answer)
{
	_cleanup_(fleet_rows_done) struct fleet_rows decoded = {};
	int r = fleet_rows_decode(answer, &decoded);

	FUZZ_ASSERT(r == 0 || r == -EBADMSG);
	for (uint32_t i = 0; i < decoded.n; i++)
		FUZZ_ASSERT(decoded.items[i].state < SAMPLE_STATES && decoded.items[i].service);
}

static void stacks(const struct buf *answer, const struct fleet_ids *ids)
{
	_cleanup_(dict_freep) struct dict *d = NULL;
	uint32_t numbers[] = { FLEET_UNKNOWN, FLEET_UNKNOWN };
	int r;

	FUZZ_ASSERT(dict_new(&d) == 0);
	r = fleet_stacks_decode(answer, ids, d, numbers);
	FUZZ_ASSERT(r == 0 || r == -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		FUZZ_ASSERT(numbers[i] == FLEET_UNKNOWN ||
			    (numbers[i] < dict_stacks(d) && dict_get_stack(d, numbers[i])->depth));
}

static void processes(const struct buf *answer, const struct fleet_ids *ids)
{
	struct fleet_process known[2] = {};
	int r = fleet_processes_decode(answer, ids, known);

	FUZZ_ASSERT(r == 0 || r == -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		FUZZ_ASSERT(!known[i].python || (known[i].info.pid >= 0 && known[i].info.comm));
		fleet_process_done(&known[i]);
	}
}

static void hosts(const struct buf *answer)
{
	_cleanup_(fleet_host_rows_done) struct fleet_host_rows decoded = {};
	_cleanup_(fleet_ids_done) struct fleet_ids ids = {};
	int r = fleet_host_rows_decode(answer, &decoded, &ids);

	FUZZ_ASSERT(r == 0 || r == -EBADMSG);
	for (uint32_t i = 0; i < decoded.n; i++)
		FUZZ_ASSERT(decoded.rows[i].host < decoded.nhosts &&
			    (!i || decoded.rows[i].host >= decoded.rows[i - 1].host));
}

static int count(const char *host, uint32_t begin, const uint64_t values[3], void *ctx)
{
	FUZZ_ASSERT(host);
	*(uint64_t *)ctx += values[0] ^ values[1] ^ values[2] ^ begin;
	return 0;
}

static void cells(const struct buf *answer)
{
	uint64_t sum = 0;
	int r = fleet_cells_decode(answer, count, &sum);

	FUZZ_ASSERT(r == 0 || r == -EBADMSG);
}

static void requests(const struct buf *answer)
{
	struct requests r = { .n = 1, .items = { { 1, 2, 3 } } };

	if (!requests_answer(&r, answer))
		FUZZ_ASSERT(r.n == 1 && r.items[0].to_s == 3);
	FUZZ_ASSERT(r.n <= REQUESTS_MOST);
	for (uint32_t i = 0; i < r.n; i++)
		FUZZ_ASSERT(r.items[i].from_s < r.items[i].to_s &&
			    r.items[i].to_s - r.items[i].from_s <= REQUESTS_LONGEST_S);
	requests_want(&r, 0, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t items[] = { 1, 2 };
	const struct fleet_ids ids = { items, 2, 2 };
	_cleanup_buf_ struct buf answer = {};
	uint8_t which;

	if (!fuzz_take(&data, &size, &which, 1))
		return 0;
	buf_append(&answer, data, size);
	if (which % 6 == 0)
		rows(&answer);
	else if (which % 6 == 1)
		stacks(&answer, &ids);
	else if (which % 6 == 2)
		hosts(&answer);
	else if (which % 6 == 3)
		cells(&answer);
	else if (which % 6 == 4)
		processes(&answer, &ids);
	else
		requests(&answer);
	return 0;
}

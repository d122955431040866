/* SPDX-License-Identifier: BSD-2-Clause */
#include "examiner/private.h"
#include "python/walk.h"

/* Of threads that nobody asked for: half of what the kernel side can remember of all processes. */
#define OTHERS_MAX (PLOP_THREAD_BUCKETS * PLOP_THREAD_WAYS / 2)

void examine_states(struct buf *request, const struct plop_layout *l, uint64_t runtime,
		    const uint64_t *wanted, size_t nwanted)
{
	examine_threads(request, l, runtime);
	pack_u32(request, (uint32_t)nwanted);
	pack_bytes(request, wanted, nwanted * sizeof(*wanted));
}

static int by_thread(const void *a, const void *b)
{
	uint64_t x = ((const struct walk_state *)a)->thread_id,
		 y = ((const struct walk_state *)b)->thread_id;

	return (x > y) - (x < y);
}

static void pack_place(struct buf *answer, uint64_t thread, uint64_t state)
{
	const struct state_place place = { thread, state };

	pack_bytes(answer, &place, sizeof(place));
}

static void states_answer(struct walk_states *s, const uint64_t *wanted, size_t nwanted,
			  struct buf *answer)
{
	qsort(s->states, s->n, sizeof(*s->states), by_thread);
	for (size_t i = 0; i < nwanted; i++) {
		const struct walk_state one = { .thread_id = wanted[i] },
					*found = bsearch(&one, s->states, s->n, sizeof(one),
							 by_thread);

		/* a list that changes may lack it */
		if (found || !(s->changing || s->more))
			pack_place(answer, wanted[i], found ? found->address : 0);
	}
	for (size_t i = 0; i < s->n && i < OTHERS_MAX; i++)
		pack_place(answer, s->states[i].thread_id, s->states[i].address);
}

int serve_states(struct served *served, pid_t pid, struct unpack *request, struct buf *answer)
{
	const struct reader memory = process_memory_reader(pid);
	_cleanup_(walker_freep) struct walker *w = NULL;
	_cleanup_walk_states_ struct walk_states s = {};
	_cleanup_free_ uint64_t *wanted = NULL;
	struct plop_layout l;
	uint64_t runtime;
	uint32_t n;
	int r;

	unpack_bytes(request, &l, sizeof(l));
	unpack_bytes(request, &runtime, sizeof(runtime));
	n = unpack_u32(request);
	if (request->error || n > request->size / sizeof(*wanted))
		return -EBADMSG;
	wanted = calloc(n + 1u, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	unpack_bytes(request, wanted, n * sizeof(*wanted));
	r = request->error ? request->error : walker_new(&memory, &l, runtime, &w);
	if (r >= 0)
		r = walker_states(w, &s);
	if (r >= 0)
		states_answer(&s, wanted, n, answer);
	return r;
}

int examined_states(struct unpack *body, struct state_place **ret, size_t *ret_n)
{
	size_t n = body->size / sizeof(**ret);
	struct state_place *places = calloc(n + 1, sizeof(*places));

	if (!places)
		return -ENOMEM;
	unpack_bytes(body, places, n * sizeof(*places));
	if (body->error) {
		free(places);
		return body->error;
	}
	*ret = places;
	*ret_n = n;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <zlib.h>

#include "check_main.h"
#include "format/format.h"
#include "known_off_cpu.h"
#include "pprof.pb-c.h"

/* Decompresses and unpacks; free by plop__pprof__profile__free_unpacked(). */
static Plop__Pprof__Profile *decode(const struct buf *b)
{
	_cleanup_free_ uint8_t *raw = NULL;
	Plop__Pprof__Profile *m;
	z_stream z = {};
	size_t room = 1 << 24;

	raw = malloc(room);
	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)b->data;
	z.avail_in = (unsigned int)b->size;
	z.next_out = raw;
	z.avail_out = (unsigned int)room;
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	m = plop__pprof__profile__unpack(NULL, room - z.avail_out, raw);
	inflateEnd(&z);
	ck_assert_ptr_nonnull(m);
	return m;
}

static Plop__Pprof__Profile *encode(const struct profile *p)
{
	_cleanup_buf_ struct buf b = {};

	ck_assert_int_eq(format_find("pprof")->encode(p, &b), 0);
	return decode(&b);
}

static const char *string(const Plop__Pprof__Profile *m, int64_t i)
{
	ck_assert_int_ge(i, 0);
	ck_assert_uint_lt((size_t)i, m->n_strings);
	return m->strings[i];
}

START_TEST(head)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	Plop__Pprof__Profile *m = encode(p);

	ck_assert_uint_eq(m->n_sample_types, 2);
	ck_assert_str_eq(string(m, m->sample_types[0]->type), "samples");
	ck_assert_str_eq(string(m, m->sample_types[0]->unit), "count");
	ck_assert_str_eq(string(m, m->sample_types[1]->type), "cpu");
	ck_assert_str_eq(string(m, m->sample_types[1]->unit), "nanoseconds");
	ck_assert_str_eq(string(m, m->period_type->type), "cpu");
	ck_assert_str_eq(string(m, m->default_sample_type), "cpu");
	ck_assert_int_eq(m->period, 10000000);
	ck_assert_int_eq(m->time_nanos, (int64_t)KNOWN_START);
	ck_assert_int_eq(m->duration_nanos, 30 * (int64_t)NSEC_PER_SEC);
	ck_assert_uint_eq(m->n_comments, 1);
	ck_assert_str_eq(string(m, m->comments[0]),
			 "ticks=6000 python=100 other=5893 truncated=5 samples=100 lost.fault=4 "
			 "lost.stacks_full=0"
			 " lost.frames_full=0 lost.unsupported=0 lost.corrupt=0 lost.drain=3 "
			 "lost.threads=0 lost.rate=0");
	ck_assert_uint_eq(m->n_mappings, 1);
	ck_assert_str_eq(string(m, m->mappings[0]->file_name), "[python3.11]");
	ck_assert(m->mappings[0]->has_functions && m->mappings[0]->has_file_names &&
		  m->mappings[0]->has_line_numbers);
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

/*
 * As Parca demands: ids count from 1 in the order of their table, and every reference is to one of
 * them.
 */
START_TEST(ids_are_sequential)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	Plop__Pprof__Profile *m = encode(p);

	ck_assert_str_eq(m->strings[0], "");
	for (size_t i = 0; i < m->n_functions; i++)
		ck_assert_uint_eq(m->functions[i]->id, i + 1);
	for (size_t i = 0; i < m->n_locations; i++) {
		ck_assert_uint_eq(m->locations[i]->id, i + 1);
		ck_assert_uint_eq(m->locations[i]->mapping_id, 1);
		ck_assert_uint_eq(m->locations[i]->n_lines, 1);
		ck_assert_uint_le(m->locations[i]->lines[0]->function_id, m->n_functions);
	}
	for (size_t i = 0; i < m->n_samples; i++)
		for (size_t k = 0; k < m->samples[i]->n_location_ids; k++) {
			ck_assert_uint_ge(m->samples[i]->location_ids[k], 1);
			ck_assert_uint_le(m->samples[i]->location_ids[k], m->n_locations);
		}
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

START_TEST(samples)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	Plop__Pprof__Profile *m = encode(p);
	const Plop__Pprof__Function *f;
	const Plop__Pprof__Sample *s;
	const Plop__Pprof__Line *l;
	int64_t count = 0;

	ck_assert_uint_eq(m->n_samples, p->nsamples);
	for (size_t i = 0; i < m->n_samples; i++) {
		ck_assert_uint_eq(m->samples[i]->n_values, 2);
		ck_assert_int_eq(m->samples[i]->values[1], m->samples[i]->values[0] * 10000000);
		count += m->samples[i]->values[0];
	}
	ck_assert_int_eq(count, KNOWN_TOTAL);
	/* module -> work:12 -> work:14 -> work:12, leaf first */
	s = m->samples[2];
	ck_assert_int_eq(s->values[0], 20);
	ck_assert_uint_eq(s->n_location_ids, 4);
	l = m->locations[s->location_ids[1] - 1]->lines[0];
	f = m->functions[l->function_id - 1];
	ck_assert_int_eq(l->line, 14);
	ck_assert_int_eq(f->start_line, 10);
	ck_assert_str_eq(string(m, f->name), "Job.work");
	ck_assert_str_eq(string(m, f->file_name), "/srv/app.py");
	l = m->locations[s->location_ids[3] - 1]->lines[0];
	ck_assert_str_eq(string(m, m->functions[l->function_id - 1]->name), "<module>");
	ck_assert_uint_eq(s->n_labels, 3);
	ck_assert_str_eq(string(m, s->labels[0]->key), "pid");
	ck_assert_str_eq(string(m, s->labels[0]->str), "100");
	ck_assert_str_eq(string(m, s->labels[1]->key), "comm");
	ck_assert_str_eq(string(m, s->labels[1]->str), "app");
	ck_assert_str_eq(string(m, s->labels[2]->key), "thread");
	ck_assert_str_eq(string(m, s->labels[2]->str), "101");
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

START_TEST(threads_that_are_not_kept_apart_have_no_label)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	Plop__Pprof__Profile *m;

	p->samples[0].thread = 0;
	m = encode(p);
	ck_assert_uint_eq(m->samples[0]->n_labels, 2);
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

/* The value of a sample's label, "" without. */
static const char *label(const Plop__Pprof__Profile *m, const Plop__Pprof__Sample *s,
			 const char *key)
{
	for (size_t i = 0; i < s->n_labels; i++)
		if (streq(string(m, s->labels[i]->key), key))
			return string(m, s->labels[i]->str);
	return "";
}

START_TEST(off_cpu_time_and_states)
{
	static const struct {
		const char *gil, *state;
		int64_t count, cpu_us, wall_us;
	} rows[] = {
		{ "held", "running", 3, 30000, 30000 },
		{ "released", "running", 2, 20000, 20000 },
		{ "waiting", "waiting for the GIL", 1, 10000, 15000 },
		{ "", "sleeping", 0, 0, 100000 },
		{ "", "runnable", 0, 0, 1500 },
	};
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	Plop__Pprof__Profile *m = encode(p);

	ck_assert_uint_eq(m->n_sample_types, 3);
	ck_assert_str_eq(string(m, m->sample_types[2]->type), "wall");
	ck_assert_str_eq(string(m, m->sample_types[2]->unit), "nanoseconds");
	ck_assert_str_eq(string(m, m->default_sample_type), "wall");
	ck_assert_uint_eq(m->n_samples, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const Plop__Pprof__Sample *s = m->samples[i];

		ck_assert_str_eq(label(m, s, "gil"), rows[i].gil);
		ck_assert_str_eq(label(m, s, "state"), rows[i].state);
		ck_assert_uint_eq(s->n_values, 3);
		ck_assert_int_eq(s->values[0], rows[i].count);
		ck_assert_int_eq(s->values[1], rows[i].cpu_us * 1000);
		ck_assert_int_eq(s->values[2], rows[i].wall_us * 1000);
	}
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

START_TEST(labels_of_process_thread_and_recording)
{
	static char service[] = "shop", version[] = "1.2", unit[] = "shop.service",
		    container[] = "c0ffee", cgroup[] = "/system.slice/shop.service";
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	struct process_info info = known_process(101, "bare");
	Plop__Pprof__Profile *m;
	uint32_t process;

	free(p->processes[0].info.service);
	p->processes[0].info.service = strdup(service);
	free(p->processes[0].info.version);
	p->processes[0].info.version = strdup(version);
	free(p->processes[0].info.unit);
	p->processes[0].info.unit = strdup(unit);
	free(p->processes[0].info.container);
	p->processes[0].info.container = strdup(container);
	free(p->processes[0].info.cgroup);
	p->processes[0].info.cgroup = strdup(cgroup);
	ck_assert_int_eq(profile_process(p, &info, "", &process), 0);
	ck_assert_int_eq(profile_add(p, process, 7, p->samples[0].stack, 1), 0);
	m = encode(p);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(label(m, m->samples[i], "service"), service);
		/* its own version, and somebody's note of that name */
		ck_assert_str_eq(label(m, m->samples[i], "version"), version);
		ck_assert_str_eq(label(m, m->samples[i], "label.version"), "7");
		ck_assert_str_eq(label(m, m->samples[i], "unit"), unit);
		ck_assert_str_eq(label(m, m->samples[i], "container"), container);
		ck_assert_str_eq(label(m, m->samples[i], "cgroup"), cgroup);
		ck_assert_str_eq(label(m, m->samples[i], "thread_name"), "worker");
		ck_assert_str_eq(label(m, m->samples[i], "env"), "it's \"prod\"");
	}
	/* pid, comm, thread, state and the recording's: nothing is empty */
	ck_assert_uint_eq(m->samples[5]->n_labels, 6);
	ck_assert_uint_eq(m->n_comments, 3);
	ck_assert_str_eq(string(m, m->comments[1]), "label.env=it's \"prod\"");
	ck_assert_str_eq(string(m, m->comments[2]), "label.version=7");
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

/* Time on CPU alone: that it ran goes without saying, but not that it ran to ask for the GIL. */
START_TEST(states_of_ticks)
{
	_cleanup_(profile_freep) struct profile *p = known_off_cpu();
	Plop__Pprof__Profile *m;

	p->off_cpu = false;
	m = encode(p);
	ck_assert_uint_eq(m->n_sample_types, 2);
	ck_assert_str_eq(label(m, m->samples[0], "gil"), "held");
	ck_assert_str_eq(label(m, m->samples[0], "state"), "");
	ck_assert_str_eq(label(m, m->samples[2], "gil"), "waiting");
	ck_assert_str_eq(label(m, m->samples[2], "state"), "waiting for the GIL");
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

START_TEST(an_empty_profile_is_a_profile)
{
	_cleanup_(profile_freep) struct profile *p = NULL;
	Plop__Pprof__Profile *m;

	ck_assert_int_eq(profile_new(5, 0, &p), 0);
	m = encode(p);
	ck_assert_uint_eq(m->n_samples, 0);
	ck_assert_uint_eq(m->n_sample_types, 2);
	ck_assert_str_eq(string(m, m->mappings[0]->file_name), "[python]");
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

/*
 * A mapping for each module of machine code; all that is Python or synthetic has the first one, and
 * so has what is in none that is known.
 */
START_TEST(modules_are_mappings)
{
	static const struct {
		struct dict_function function;
		const char *mapping, *file;
	} rows[] = {
		{ { "f", "x", "/x.py", 1, PLOP_FRAME_PYTHON }, "[python3.11]", "/x.py" },
		{ { "[no]", "", "", 0, PLOP_FRAME_SYNTHETIC }, "[python3.11]", "" },
		{ { "malloc", "libc.so.6", "", 0, PLOP_FRAME_NATIVE }, "libc.so.6", "" },
		{ { "free", "libc.so.6", "free.c", 3, PLOP_FRAME_NATIVE }, "libc.so.6", "free.c" },
		{ { "do_idle", "[kernel]", "", 0, PLOP_FRAME_KERNEL }, "[kernel]", "" },
		{ { "jit", "", "", 0, PLOP_FRAME_NATIVE }, "[python3.11]", "" },
	};
	_cleanup_(profile_freep) struct profile *p = known_profile();
	uint32_t frames[ARRAY_SIZE(rows)], functions[ARRAY_SIZE(rows)];
	Plop__Pprof__Profile *m;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(dict_function(p->dict, &rows[i].function, &functions[i]), 0);
		ck_assert_int_eq(dict_frame(p->dict, functions[i], 0, &frames[i]), 0);
	}
	known_add(p, 0, 100, frames, ARRAY_SIZE(rows), 1);
	m = encode(p);
	ck_assert_uint_eq(m->n_mappings, 3);
	for (size_t i = 0; i < m->n_mappings; i++)
		ck_assert_uint_eq(m->mappings[i]->id, i + 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const Plop__Pprof__Location *l = m->locations[frames[i]];

		ck_assert_str_eq(string(m, m->mappings[l->mapping_id - 1]->file_name),
				 rows[i].mapping);
		ck_assert_str_eq(string(m, m->functions[functions[i]]->file_name), rows[i].file);
	}
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

/* More than one piece of compressed output, and equal bytes for equal profiles. */
START_TEST(a_large_profile_is_whole)
{
	_cleanup_(profile_freep) struct profile *p = known_profile();
	_cleanup_buf_ struct buf a = {}, b = {};
	Plop__Pprof__Profile *m;
	uint32_t state = 1;
	char name[64];

	for (unsigned int i = 0; i < 20000; i++) {
		state = state * 1103515245 + 12345;
		snprintf(name, sizeof(name), "function_%u_%08x", i, state);
		known_add(p, 0, 101, (uint32_t[]){ known_frame(p, name, "/srv/x.py", 1, (int)i) },
			  1, i + 1);
	}
	ck_assert_int_eq(format_find("pprof")->encode(p, &a), 0);
	ck_assert_int_eq(format_find("pprof")->encode(p, &b), 0);
	ck_assert_uint_gt(a.size, 2 * 64 * 1024);
	ck_assert_uint_eq(a.size, b.size);
	ck_assert_int_eq(memcmp(a.data, b.data, a.size), 0);
	m = decode(&a);
	ck_assert_uint_eq(m->n_samples, p->nsamples);
	ck_assert_uint_eq(m->n_functions, dict_functions(p->dict));
	ck_assert_int_eq(m->samples[m->n_samples - 1]->values[0], 20000);
	plop__pprof__profile__free_unpacked(m, NULL);
}
END_TEST

CHECK_MAIN("format/pprof", head, ids_are_sequential, samples,
	   threads_that_are_not_kept_apart_have_no_label, off_cpu_time_and_states,
	   labels_of_process_thread_and_recording, states_of_ticks, an_empty_profile_is_a_profile,
	   modules_are_mappings, a_large_profile_is_whole);

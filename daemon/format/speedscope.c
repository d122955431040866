/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "format/encoders.h"
#include "format/text.h"
#include "plop/version.h"

/*
 * speedscope's own JSON (file-format-schema.json of speedscope 1.25): frames shared by all, a
 * "sampled" profile for each process, the one with the largest weight first: speedscope opens on
 * it. Weights are time, which it shows as such: seconds on the CPU, or microseconds of the threads'
 * time. Its readers tell frames apart by index, so a frame here is a line being executed, as in the
 * dict.
 */
static void write_frames(const struct dict *d, struct buf *out)
{
	for (uint32_t i = 0; i < dict_frames(d); i++) {
		const struct dict_frame *f = dict_get_frame(d, i);
		const struct dict_function *fn = dict_get_function(d, f->function);

		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		text_json(out, fn->name);
		if (*text_place(fn)) {
			buf_puts(out, ",\"file\":");
			text_json(out, text_place(fn));
		}
		if (f->line > 0)
			buf_printf(out, ",\"line\":%d", f->line);
		buf_putc(out, '}');
	}
}

static int compare_samples(const void *pa, const void *pb)
{
	const struct profile_sample *a = pa, *b = pb;

	if (a->process != b->process)
		return a->process > b->process ? 1 : -1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

/*
 * The samples by process and stack, threads and states added up; count is the weight from here on.
 * Owned by the caller.
 */
static int by_process(const struct profile *p, struct profile_sample **ret, uint32_t *ret_n)
{
	struct profile_sample *s = calloc((size_t)p->nsamples + 1, sizeof(*s));
	uint32_t n = 0;

	if (!s)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nsamples; i++) {
		s[i] = p->samples[i];
		s[i].count = profile_weight(p, &p->samples[i]);
	}
	qsort(s, p->nsamples, sizeof(*s), compare_samples);
	for (uint32_t i = 0; i < p->nsamples; i++) {
		if (n && compare_samples(&s[n - 1], &s[i]) == 0)
			s[n - 1].count += s[i].count;
		else
			s[n++] = s[i];
	}
	*ret = s;
	*ret_n = n;
	return 0;
}

/* The samples of one process: items[at] to items[at + n - 1]. */
struct part {
	uint32_t at, n;
	uint64_t weight;
	pid_t pid;
};

static int compare_parts(const void *pa, const void *pb)
{
	const struct part *a = pa, *b = pb;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return (a->pid > b->pid) - (a->pid < b->pid);
}

/* A part for each process that has samples, the heaviest first. Owned by the caller. */
static int by_weight(const struct profile *p, const struct profile_sample *s, uint32_t n,
		     struct part **ret, uint32_t *ret_n)
{
	struct part *parts = calloc((size_t)p->nprocesses + 1, sizeof(*parts));
	uint32_t k = 0;

	if (!parts)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || s[i].process != s[i - 1].process)
			parts[k++] = (struct part){ .at = i,
						    .pid = p->processes[s[i].process].info.pid };
		parts[k - 1].n++;
		parts[k - 1].weight += s[i].count;
	}
	qsort(parts, k, sizeof(*parts), compare_parts);
	*ret = parts;
	*ret_n = k;
	return 0;
}

static void write_weight(const struct profile *p, uint64_t weight, struct buf *out)
{
	if (p->off_cpu)
		buf_printf(out, "%" PRIu64, weight);
	else
		text_json_seconds(out, weight * (NSEC_PER_SEC / MAX(p->hz, 1u)));
}

/* "shop (pid 4711)"; without a service the name of the command. */
static void write_title(const struct process_info *info, struct buf *out)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s (pid %d)", *info->service ? info->service : info->comm,
		     (int)info->pid) < 0) {
		text = NULL;
		out->error = -ENOMEM;
		return;
	}
	text_json(out, text);
}

static void write_profile(const struct profile *p, const struct profile_sample *s,
			  const struct part *part, struct buf *out)
{
	buf_puts(out, "{\"type\":\"sampled\",\"name\":");
	write_title(&p->processes[s->process].info, out);
	buf_printf(out, ",\"unit\":\"%s\",\"startValue\":0,\"endValue\":",
		   p->off_cpu ? "microseconds" : "seconds");
	write_weight(p, part->weight, out);
	buf_puts(out, ",\"samples\":[");
	for (uint32_t i = 0; i < part->n; i++) {
		const struct dict_stack *stack = dict_get_stack(p->dict, s[i].stack);

		buf_puts(out, i ? ",[" : "[");
		for (uint32_t k = 0; k < stack->depth; k++)
			buf_printf(out, "%s%" PRIu32, k ? "," : "", stack->frames[k]);
		buf_putc(out, ']');
	}
	buf_puts(out, "],\"weights\":[");
	for (uint32_t i = 0; i < part->n; i++) {
		if (i)
			buf_putc(out, ',');
		write_weight(p, s[i].count, out);
	}
	buf_puts(out, "]}");
}

/* Shown above the picture: "plop", and the labels. */
static void write_name(const struct profile *p, struct buf *out)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf b = {};

	buf_puts(&b, "plop");
	for (size_t i = 0; i < p->labels.n; i++)
		buf_printf(&b, " %s=%s", p->labels.items[i].key, p->labels.items[i].value);
	text = buf_string(&b);
	text_json(out, text ? text : "plop");
}

int speedscope_encode(const struct profile *p, struct buf *out)
{
	_cleanup_free_ struct profile_sample *samples = NULL;
	_cleanup_free_ struct part *parts = NULL;
	uint64_t states[SAMPLE_STATES] = {};
	uint32_t n;
	int r;

	r = by_process(p, &samples, &n);
	if (r == 0)
		r = by_weight(p, samples, n, &parts, &n);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->nsamples; i++)
		states[p->samples[i].state] += profile_weight(p, &p->samples[i]);
	buf_puts(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
		      "\"exporter\":\"plop@" PLOP_VERSION "\",\"name\":");
	write_name(p, out);
	buf_puts(out, ",\"activeProfileIndex\":0,\"plop\":{");
	text_json_tally(out, &p->tally);
	buf_printf(out,
		   ",\"hz\":%" PRIu32 ",\"unit\":\"%s\",\"samples\":%" PRIu64 ",\"states\":", p->hz,
		   profile_unit(p), p->samples_total);
	text_json_states(out, states);
	buf_puts(out, ",\"labels\":");
	text_json_labels(out, &p->labels);
	buf_puts(out, "},\"shared\":{\"frames\":[");
	write_frames(p->dict, out);
	buf_puts(out, "]},\"profiles\":[");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_putc(out, ',');
		write_profile(p, samples + parts[i].at, &parts[i], out);
	}
	buf_puts(out, "]}");
	return out->error;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/roll.h"

#include <inttypes.h>
#include <sys/random.h>

#include "clickhouse/schema.h"
#include "fleet/internal.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/worker.h"

/* An hour is added up when it has been over for so long: most of its windows are there then. */
#define OVER_S 600
/* Days that windows come to: they are looked at each time, and one of the others in turn. */
#define RECENT_DAYS 3
#define DAY_S       86400
/* From one look to the next; while days have not been looked at yet; and where all is refused. */
#define LOOK_NS    (60 * NSEC_PER_SEC)
#define NEXT_NS    (NSEC_PER_SEC / 10)
#define REFUSED_NS (3600 * NSEC_PER_SEC)
/* Days that are too old, and sums that are superseded, are looked for so often. */
#define TIDY_NS (3600 * NSEC_PER_SEC)
/* Seconds that an hour may take. */
#define ROLL_S 600

struct fleet_roller {
	struct worker *worker;
	sd_event_source *timer;
	struct clickhouse *clickhouse;
	uint64_t keep_ns;
	uint64_t wait_ns; /* until the next look, of the last one */

	/* the worker's */
	struct fleet_source source; /* its trouble */
	bool checked;
	bool round;       /* all days have been looked at once */
	uint32_t day;     /* the next one of those that are not recent; 0: the last of them */
	uint64_t tidy_ns; /* CLOCK_MONOTONIC */
	int said;         /* the last failure: a negative errno */
};

/* Later than all others of that hour, and like none. */
static uint64_t next_generation(const struct fleet_hour *h, uint32_t now)
{
	uint32_t any = 0;

	if (getrandom(&any, sizeof(any), GRND_NONBLOCK) != sizeof(any))
		any = (uint32_t)clock_ns(CLOCK_MONOTONIC);
	return MAX(now * NSEC_PER_SEC + any % NSEC_PER_SEC, h->generation + 1);
}

/* Written last: with it the hour is added up. */
static int note(struct fleet_read *f, const struct fleet_hour *h, uint64_t generation, uint32_t now)
{
	_cleanup_buf_ struct buf row = {};

	rows_put_u32(&row, h->begin);
	rows_put_u64(&row, generation);
	rows_put_u64(&row, h->windows);
	rows_put_u32(&row, now);
	if (row.error)
		return row.error;
	return clickhouse_insert(f->clickhouse, "rolled (hour, generation, windows, made)", &row,
				 &f->source->trouble);
}

static int roll(struct fleet_read *f, const struct fleet_hour *h, uint32_t now)
{
	uint64_t generation = next_generation(h, now);
	_cleanup_buf_ struct buf sql = {};
	int r;

	fleet_sql_roll_stacks(&sql, f->db, h->begin, generation);
	r = fleet_tell(f, &sql);
	if (r < 0)
		return r;
	fleet_sql_roll_services(&sql, f->db, h->begin, generation);
	r = fleet_tell(f, &sql);
	if (r == 0)
		r = note(f, h, generation, now);
	if (r == 0)
		log_debug("an hour of %" PRIu64 " windows is added up", h->windows);
	return r;
}

/* Those of [from, to) that are over, the newest first. */
static int roll_hours(struct fleet_read *f, uint32_t from, uint32_t to, uint32_t now)
{
	struct fleet_hours hours = {};
	int r = fleet_hours_read(f, from, to, &hours);

	for (uint32_t i = hours.n; r == 0 && i-- > 0;) {
		const struct fleet_hour *h = &hours.items[i];

		if (h->windows && h->rolled != h->windows &&
		    h->begin + FLEET_HOUR_S + OVER_S <= now)
			r = roll(f, h, now);
	}
	fleet_hours_done(&hours);
	return r;
}

/* One more day, of those that are not recent. */
static int roll_older(struct fleet_roller *o, struct fleet_read *f, uint32_t recent, uint32_t now)
{
	_cleanup_buf_ struct buf sql = {};
	uint64_t oldest = 0;
	int r;

	buf_printf(&sql, "SELECT toUInt64(toRelativeDayNum(min(day))) FROM %s.windows", f->db);
	r = fleet_ask_number(f, &sql, &oldest);
	if (r < 0)
		return r;
	if (!o->day || o->day >= recent / DAY_S)
		o->day = recent / DAY_S;
	if (!oldest || o->day <= oldest) {
		o->day = 0;
		o->round = true;
		return 0;
	}
	o->day--;
	return roll_hours(f, o->day * DAY_S, (o->day + 1) * DAY_S, now);
}

static int look_at(struct fleet_roller *o, struct fleet_read *f)
{
	_cleanup_buf_ struct buf sql = {};
	uint64_t seed, store_now = 0;
	uint32_t now, recent;
	int r = 0;

	if (!o->checked)
		r = clickhouse_schema_check(o->clickhouse, &seed, &o->source.trouble);
	o->checked = r == 0;
	buf_puts(&sql, "SELECT toUInt64(now())");
	if (r == 0)
		r = fleet_ask_number(f, &sql, &store_now);
	if (r < 0)
		return r;
	now = (uint32_t)store_now;
	recent = now / DAY_S > RECENT_DAYS ? (now / DAY_S - RECENT_DAYS) * DAY_S : 0;
	r = roll_hours(f, recent, now, now);
	if (r == 0)
		r = roll_older(o, f, recent, now);
	if (r == 0 && clock_ns(CLOCK_MONOTONIC) >= o->tidy_ns) {
		r = fleet_tidy(f, now, o->keep_ns / NSEC_PER_SEC);
		if (r == 0)
			o->tidy_ns = clock_ns(CLOCK_MONOTONIC) + TIDY_NS;
	}
	return r;
}

static void look(void *ctx)
{
	struct fleet_roller *o = ctx;
	struct fleet_read f = {
		.clickhouse = o->clickhouse,
		.db = clickhouse_database(o->clickhouse),
		.source = &o->source,
	};
	int r;

	o->source.trouble = (struct clickhouse_trouble){};
	r = look_at(o, &f);
	o->checked = o->checked && r == 0;
	o->wait_ns = o->round ? LOOK_NS : NEXT_NS;
	if (r < 0)
		o->wait_ns = r == -EACCES || r == -EPROTO ? REFUSED_NS : LOOK_NS;
	if (r < 0 && r != o->said)
		log_info("hours of the fleet are not added up, which makes long times slower to "
			 "read: %s",
			 *o->source.trouble.sentence ? o->source.trouble.sentence : strerror(-r));
	o->said = r;
}

static void looked(void *ctx)
{
	struct fleet_roller *o = ctx;

	sd_event_source_set_time_relative(o->timer, o->wait_ns / 1000);
	sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct fleet_roller *o = ctx;

	return worker_submit(o->worker, look, looked, o);
}

int fleet_roller_new(sd_event *loop, const struct clickhouse_options *o, uint64_t keep_ns,
		     struct fleet_roller **ret, char **ret_error)
{
	_cleanup_(fleet_roller_freep) struct fleet_roller *made = calloc(1, sizeof(*made));
	struct clickhouse_options patient = *o;
	int r;

	if (!made)
		return -ENOMEM;
	patient.timeout_s = ROLL_S;
	made->keep_ns = keep_ns;
	r = clickhouse_new(&patient, &made->clickhouse, ret_error);
	if (r == 0)
		r = worker_new(loop, "plop-roll", 1, &made->worker);
	if (r == 0)
		r = sd_event_add_time_relative(loop, &made->timer, CLOCK_MONOTONIC, 0, 0, on_timer,
					       made);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(made);
	return 0;
}

void fleet_roller_free(struct fleet_roller *r)
{
	if (!r)
		return;
	if (r->clickhouse)
		clickhouse_stop(r->clickhouse);
	worker_free(r->worker);
	sd_event_source_disable_unref(r->timer);
	if (r->clickhouse)
		clickhouse_free(r->clickhouse);
	free(r);
}

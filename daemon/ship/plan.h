/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Which windows of this host go to the fleet's store. Nobody coordinates: each host decides by a
 * hash of itself and of the window, so the same share of all hosts' windows is shipped at each
 * time, and one number in a configuration changes it.
 *
 * What is shipped with a probability p weighs 1/p, and every sum over hosts uses that. So sums are
 * unbiased whatever p is, also where p is another one for each service and changes with time, as
 * long as it does not depend on what the window has in it (the estimator of Horvitz and Thompson,
 * 1952). Pure.
 */

/* Probabilities, and weights, which are their inverse, are told in millionths. */
#define SHIP_MILLION 1000000u

struct ship_plan {
	uint32_t share;       /* of all windows, 1 to SHIP_MILLION */
	uint32_t share_least; /* ... to which target may lower it; at most share */
	uint64_t target;      /* samples an hour that the store shall get of a service; 0: as many
				 * as share brings */
	bool by_host;         /* a host has all windows of a day shipped, or none */
	/* The first windows of each version on so many hosts are shipped all; 0: none are. */
	uint32_t deploy_windows, deploy_hosts;
};

/* What is known of a service when a window of it is decided about; nothing of that window. */
struct ship_service {
	const char *name, *version; /* borrowed */
	uint64_t samples_an_hour;   /* that all hosts have of it, shipped or not; 0: not known */
	uint64_t hosts;             /* that have it; 0: not known */
	uint32_t nth; /* windows of this version on this host until now, with this one */
};

/* 0: the numbers of a plan are within their bounds; -EINVAL, and *ret_error says which is not. */
int ship_plan_check(const struct ship_plan *p, const char **ret_error);
/* What each sample of that service weighs in this window if it is shipped: 1/p, in millionths. */
uint64_t ship_plan_weight(const struct ship_plan *p, const struct ship_service *s);
/*
 * Whether it is shipped. start_ns: when the window begins, since 1970; windows of one length, which
 * begin at its multiples, are told apart by it.
 */
bool ship_plan_takes(const struct ship_plan *p, uint64_t host_id, uint64_t start_ns,
		     const struct ship_service *s);
/* Millionths below one, drawn for the window and not for whether it is shipped. */
uint64_t ship_plan_fraction(uint64_t host_id, uint64_t start_ns);
/* Whether it would be for a deploy alone: somebody wants to see it soon. */
bool ship_plan_deploys(const struct ship_plan *p, uint64_t host_id, const struct ship_service *s);

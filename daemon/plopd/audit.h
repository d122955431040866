/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "api/api.h"
#include "record/recordings.h"

/*
 * Who did what, and why: a line in the log for each recording that begins, and for each token that
 * is made or taken away. In the journal it has fields, which are in plopd(8).
 */

/* Of "why" in a request. */
#define AUDIT_WHY_MAX 256

void audit_recording(const struct api_request *q, const struct recording *recording);
/* verb: "made" or "revoked". scope: NULL, or what it is for. */
void audit_token(const struct api_request *q, const char *verb, const char *name,
		 const struct scope *scope);

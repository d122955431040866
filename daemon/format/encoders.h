/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/format.h"

int pprof_encode(const struct profile *p, struct buf *out);
/*
 * pprof without labels of samples, of which a Pyroscope makes a series each. cpu: CPU time alone,
 * under that name, by which Coroot tells profiles apart; NULL: as pprof.
 */
int pprof_encode_bare(const struct profile *p, const char *cpu, struct buf *out);
int collapsed_encode(const struct profile *p, struct buf *out);
int speedscope_encode(const struct profile *p, struct buf *out);
int plop_encode(const struct profile *p, struct buf *out);
int json_encode(const struct profile *p, struct buf *out);
int tree_encode(const struct profile *p, struct buf *out);
int svg_encode(const struct profile *p, struct buf *out);
int html_encode(const struct profile *p, struct buf *out);
int top_encode(const struct profile *p, struct buf *out);

/* SPDX-License-Identifier: BSD-2-Clause */
/* For cppcheck, which does not search system headers: what the macros of sys/queue.h amount to. */
#define LIST_HEAD(name, type)          \
	struct name {                  \
		struct type *lh_first; \
	}
#define LIST_ENTRY(type)                         \
	struct {                                 \
		struct type *le_next, **le_prev; \
	}
#define LIST_FOREACH(var, head, field) for (var = (head)->lh_first; var; var = var->field.le_next)
#define STAILQ_HEAD(name, type)                       \
	struct name {                                 \
		struct type *stqh_first, **stqh_last; \
	}
#define STAILQ_ENTRY(type)              \
	struct {                        \
		struct type *stqe_next; \
	}
#define STAILQ_FOREACH(var, head, field) \
	for (var = (head)->stqh_first; var; var = var->field.stqe_next)

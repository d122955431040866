/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/push_judge.h"

#include "otlp.pb-c.h"

static enum push_verdict verdict_of(enum push_store store, const struct poster_answer *answer,
				    bool old)
{
	static const char invalid[] = "invalid_argument";
	unsigned int status = answer->status;

	if (status >= 200 && status < 300)
		return PUSH_TAKEN;
	if (status == 401 || status == 403 || status == 407)
		return PUSH_NOT_US;
	/* Coroot says of a key that it does not know that there is no such project */
	if (status == 404 && store == PUSH_COROOT)
		return PUSH_NOT_US;
	if (status < 400 || status == 404 || status == 405)
		return PUSH_NO_SUCH;
	if (status == 413)
		return PUSH_SMALLER;
	if (status == 422 && store == PUSH_PYROSCOPE)
		return old || (answer->said.size && memmem(answer->said.data, answer->said.size,
							   invalid, strlen(invalid))) ?
			       PUSH_NEVER :
			       PUSH_LATER;
	return status == 408 || status == 425 || status == 429 || status >= 500 ? PUSH_LATER :
										  PUSH_NEVER;
}

enum push_verdict push_judge(enum push_store store, const char *place,
			     const struct poster_answer *answer, bool old,
			     char sentence[static POSTER_WHY])
{
	static const char *const hints[] = {
		[PUSH_LATER] = "it is asked again later",
		[PUSH_SMALLER] = "raise its limit: one stack alone is too large",
		[PUSH_NEVER] = "what it does not take is passed over",
		[PUSH_NOT_US] = "look at token_file, user, password_file and tenant in [fleet] of "
				"plop.conf",
		[PUSH_NO_SUCH] = "look at store in [fleet] of plop.conf: is it of that kind?",
	};
	enum push_verdict verdict = verdict_of(store, answer, old);
	char line[320];

	*sentence = '\0';
	if (verdict == PUSH_TAKEN)
		return verdict;
	poster_first_line(&answer->said, line, sizeof(line));
	snprintf(sentence, POSTER_WHY, "the store at %.100s says no (%u%s%s): %s", place,
		 answer->status, *line ? ": " : "", line, hints[verdict]);
	return verdict;
}

bool push_judge_partial(const char *place, const struct buf *body, char sentence[static POSTER_WHY])
{
	Plop__Otlp__Response *m =
		plop__otlp__response__unpack(NULL, body->size, (const uint8_t *)body->data);
	const Plop__Otlp__PartialSuccess *partial = m ? m->partial_success : NULL;
	bool refused = partial && partial->rejected > 0;

	if (refused) {
		const struct buf said = { .data = partial->message,
					  .size = strlen(partial->message) };
		char line[256];

		poster_first_line(&said, line, sizeof(line));
		snprintf(sentence, POSTER_WHY,
			 "the store at %.100s has not taken a profile%s%s: it is passed over",
			 place, *line ? ": " : "", line);
	}
	if (m)
		plop__otlp__response__free_unpacked(m, NULL);
	return refused;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "plopd/token_routes.h"
#include "plopd/audit.h"
#include "util/clock.h"
#include "util/log.h"
#include "window/memo.h"

/* The longest that one may be good for that ends at all: ten years. */
#define EXPIRES_MAX_S (3650 * UINT64_C(86400))

/* What is written, and who waits for it. */
struct writing {
	struct token_routes *routes;
	struct api_call *call; /* NULL: nobody, or the client went away */
	unsigned int status;
	char added[TOKEN_NAME_MAX + 1]; /* which one goes again if it cannot be kept; "": none */
	struct buf answer;
};

static void writing_free(struct writing *w)
{
	buf_free(&w->answer);
	free(w);
}

static void write_done(int r, void *ctx)
{
	struct writing *w = ctx;

	if (r < 0)
		log_warning_r(r, "Cannot write tokens into plop.db in %s",
			      w->routes->config->state_dir);
	/* nobody has been told its secret yet */
	if (r < 0 && *w->added)
		named_tokens_drop(&w->routes->named, w->added);
	if (w->call && r < 0)
		api_reply_error(
			w->call, 500,
			*w->added ? "ask again when plop.db can be written: see plopctl status" :
				    "until plopd ends it is good no more; ask again when "
				    "plop.db can be written: see plopctl status",
			"%s: %s",
			*w->added ? "the token could not be kept, and was not made" :
				    "that the token was taken away could not be kept",
			strerror(-r));
	else if (w->call)
		api_reply(w->call, w->status, "application/json", &w->answer, NULL);
	writing_free(w);
}

static void write_gone(void *ctx)
{
	((struct writing *)ctx)->call = NULL;
}

/* Has the tokens written, and answers then. Takes the answer over. added: may be NULL. */
static void keep(const struct api_request *q, struct token_routes *t, unsigned int status,
		 const char *added, struct json_writer *answer)
{
	struct writing *w = calloc(1, sizeof(*w));
	_cleanup_buf_ struct buf text = {};
	struct json_writer json = json_writer_on(&text);
	int r = w ? json_writer_done(answer) : -ENOMEM;

	named_tokens_put(&t->named, true, &json);
	if (r == 0)
		r = json_writer_done(&json);
	if (r == 0) {
		*w = (struct writing){ .routes = t, .status = status, .answer = *answer->out };
		*answer->out = (struct buf){};
		buf_putc(&w->answer, '\n');
		if (added)
			strcpy(w->added, added);
		r = windows_save_memo(t->windows, MEMO_TOKENS, &text, write_done, w);
	}
	if (r == 0) {
		w->call = api_defer(q, write_gone, w);
		return;
	}
	if (w)
		writing_free(w);
	if (added)
		named_tokens_drop(&t->named, added);
	api_reply_error(q->call, 503, "ask again in a moment", "tokens could not be written: %s",
			strerror(-r));
}

static int read_memo(const struct token_routes *t, struct buf *text)
{
	_cleanup_(store_reader_closep) struct store_reader *reader = NULL;
	int r = store_reader_open(t->config->state_dir, &reader, NULL);

	return r < 0 ? r : store_read_memo(reader, MEMO_TOKENS, text);
}

void token_routes_load(struct token_routes *t)
{
	_cleanup_buf_ struct buf text = {};
	int r = read_memo(t, &text);

	t->number = clock_ns(CLOCK_REALTIME);
	if (r == 0)
		r = named_tokens_parse(&t->named, text.data ? text.data : "", text.size);
	if (r < 0 && r != -ENOENT)
		log_warning_r(r, "Cannot read plop.db in %s, tokens of plopctl token are not known",
			      t->config->state_dir);
}

static int refuse(const struct api_request *q, const char *why)
{
	api_reply_error(q->call, 400, "see plopctl token --help", "%s", why);
	return -EINVAL;
}

/* {"name", "scope", "service", "expires_s"}: the last two may be null, for all and for ever. */
static int take_token(const struct api_request *q, const json_t *body, struct named_token *ret)
{
	const char *name = json_string_value(json_object_get(body, "name")),
		   *scope = json_string_value(json_object_get(body, "scope")),
		   *service = json_string_value(json_object_get(body, "service"));
	const json_t *expires = json_object_get(body, "expires_s");
	json_int_t seconds = json_integer_value(expires);

	if (!name || !token_name_valid(name))
		return refuse(q, "a token's name has 1 to 64 letters, digits, and of \"._-\"");
	if (!scope || scope_find(scope, &ret->scope.may) < 0 || ret->scope.may == SCOPE_ALL)
		return refuse(q, "a token's scope is read or record");
	if (service && (!*service || !scope_text_valid(service, SCOPE_SERVICE_MAX)))
		return refuse(q, "a service is a text of at most 256 bytes, all of it visible");
	if (expires && !json_is_null(expires) &&
	    (!json_is_integer(expires) || seconds < 1 || (uint64_t)seconds > EXPIRES_MAX_S))
		return refuse(q, "a token is good for 1 second to 3650 days, or does not end");
	strcpy(ret->name, name);
	strcpy(ret->scope.service, service ? service : "");
	ret->made_ns = clock_ns(CLOCK_REALTIME);
	ret->until_ns = seconds > 0 ? ret->made_ns + (uint64_t)seconds * NSEC_PER_SEC : 0;
	return 0;
}

static void make(const struct api_request *q, struct token_routes *t, const json_t *body)
{
	_cleanup_buf_ struct buf answer = {};
	struct json_writer w = json_writer_on(&answer);
	char secret[TOKEN_SECRET_MAX];
	struct named_token k = {};
	int r = take_token(q, body, &k);

	if (r < 0)
		return;
	r = named_tokens_add(&t->named, &k, secret);
	if (r == -EEXIST)
		api_reply_error(q->call, 409, "plopctl token revoke takes it away",
				"there is a token %s already", k.name);
	else if (r == -E2BIG)
		api_reply_error(q->call, 429, "plopctl token list shows them",
				"there are %d tokens, which is the most", NAMED_TOKENS_MAX);
	else if (r < 0)
		api_reply_error(q->call, 500, NULL, "no random numbers to make a token of");
	if (r < 0)
		return;
	audit_token(q, "made", k.name, &k.scope);
	json_put_object(&w, NULL);
	json_put_string(&w, "name", k.name);
	json_put_string(&w, "token", secret);
	if (k.until_ns)
		json_put_seconds(&w, "expires", (int64_t)k.until_ns);
	else
		json_put_null(&w, "expires");
	json_put_end(&w);
	keep(q, t, 201, k.name, &w);
}

void route_token(const struct api_request *q, void *ctx)
{
	struct token_routes *t = ctx;
	json_t *body = json_loadb(q->body, q->body_size, JSON_REJECT_DUPLICATES, NULL);

	if (!json_object_get(body, "name"))
		viewer_make_token(q, t->viewer);
	else if (!q->peer.trusted)
		api_reply_error(q->call, 403, "run it as root or as a member of group plop",
				"tokens show the processes of all users");
	else
		make(q, t, body);
	json_decref(body);
}

void route_tokens(const struct api_request *q, void *ctx)
{
	struct token_routes *t = ctx;
	struct buf answer = {};
	struct json_writer w = json_writer_on(&answer);

	named_tokens_expire(&t->named, clock_ns(CLOCK_REALTIME));
	named_tokens_put(&t->named, false, &w);
	api_reply_writer(q->call, 200, &w);
}

void route_token_drop(const struct api_request *q, void *ctx)
{
	struct token_routes *t = ctx;
	const char *name = strrchr(q->path, '/') + 1;
	_cleanup_buf_ struct buf answer = {};
	struct json_writer w = json_writer_on(&answer);

	if (named_tokens_drop(&t->named, name) < 0) {
		api_reply_error(q->call, 404, "plopctl token list shows them",
				"there is no token %.*s", TOKEN_NAME_MAX, name);
		return;
	}
	t->number++;
	audit_token(q, "revoked", name, NULL);
	json_put_object(&w, NULL);
	json_put_string(&w, "name", name);
	json_put_bool(&w, "revoked", true);
	json_put_end(&w);
	keep(q, t, 200, NULL, &w);
}

static void reply_good(const struct api_request *q, uint64_t seconds, const struct named_token *k)
{
	_cleanup_buf_ struct buf body = {}, scope = {};
	struct json_writer w = json_writer_on(&body);

	json_put_object(&w, NULL);
	if (seconds)
		json_put_uint(&w, "expires_s", seconds);
	else
		json_put_null(&w, "expires_s");
	if (k) {
		scope_put(&k->scope, &scope);
		json_put_text(&w, "scope", scope.data, scope.size);
	} else {
		json_put_null(&w, "scope");
	}
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

void route_token_check(const struct api_request *q, void *ctx)
{
	struct token_routes *t = ctx;
	json_t *body;
	const char *token = api_body_string(q, "token", &body);
	uint64_t now = clock_ns(CLOCK_REALTIME);
	uint64_t left = token ? viewer_token_left(t->viewer, token) : 0;
	struct named_token *k = token && !left ? named_tokens_find(&t->named, token, now) : NULL;

	if (k)
		k->used_ns = now;
	if (left)
		reply_good(q, left, NULL);
	else if (k)
		reply_good(q,
			   k->until_ns ? MAX((k->until_ns - now) / NSEC_PER_SEC, UINT64_C(1)) : 0,
			   k);
	else if (token)
		api_reply_error(q->call, 403, "plopctl open makes a fresh one",
				"this token is not good (any more)");
	json_decref(body);
}

void route_gateway(const struct api_request *q, void *ctx)
{
	struct token_routes *t = ctx;
	_cleanup_buf_ struct buf body = {};
	struct json_writer w = json_writer_on(&body);

	if (!viewer_take_gateway(q, t->viewer))
		return;
	json_put_object(&w, NULL);
	json_put_uint(&w, "tokens", t->number);
	json_put_end(&w);
	api_reply_writer(q->call, 200, &w);
}

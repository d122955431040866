/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>
#include <sys/random.h>

#include "plopd/named_tokens.h"

/* So that whoever finds one in a repository knows what it is. */
#define SECRET_PREFIX "plop_"
#define SECRET_BYTES  24

_Static_assert(sizeof(SECRET_PREFIX) + 2 * SECRET_BYTES <= TOKEN_SECRET_MAX, "it fits");
_Static_assert(sizeof(TOKEN_NAME_PREFIX) + TOKEN_NAME_MAX <= SCOPE_WHO_MAX, "it fits");

static const char hex_digits[] = "0123456789abcdef";

static void put_hex(const uint8_t *bytes, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = hex_digits[bytes[i] >> 4];
		to[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	to[2 * n] = '\0';
}

static bool take_hex(const char *text, uint8_t *to, size_t n)
{
	if (!text || strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		const char *digit = strchr(hex_digits, text[i]);

		if (!digit)
			return false;
		to[i / 2] = (uint8_t)(to[i / 2] << 4 | (digit - hex_digits));
	}
	return true;
}

bool token_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= TOKEN_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

static bool has_ended(const struct named_token *k, uint64_t now_ns)
{
	return k->until_ns && k->until_ns <= now_ns;
}

unsigned int named_tokens_expire(struct named_tokens *t, uint64_t now_ns)
{
	size_t n = 0;
	unsigned int gone;

	for (size_t i = 0; i < t->n; i++)
		if (!has_ended(&t->items[i], now_ns))
			t->items[n++] = t->items[i];
	gone = (unsigned int)(t->n - n);
	t->n = n;
	return gone;
}

static struct named_token *find_name(struct named_tokens *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (streq(t->items[i].name, name))
			return &t->items[i];
	return NULL;
}

static void name_it(struct named_token *k)
{
	strcpy(stpcpy(k->scope.who, TOKEN_NAME_PREFIX), k->name);
}

int named_tokens_add(struct named_tokens *t, const struct named_token *token,
		     char ret_secret[static TOKEN_SECRET_MAX])
{
	uint8_t raw[SECRET_BYTES];
	struct named_token *k;

	named_tokens_expire(t, token->made_ns);
	if (find_name(t, token->name))
		return -EEXIST;
	if (t->n == NAMED_TOKENS_MAX)
		return -E2BIG;
	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return -EIO;
	strcpy(ret_secret, SECRET_PREFIX);
	put_hex(raw, sizeof(raw), ret_secret + strlen(SECRET_PREFIX));
	k = &t->items[t->n++];
	*k = *token;
	name_it(k);
	sha256(ret_secret, strlen(ret_secret), k->hash);
	return 0;
}

struct named_token *named_tokens_find(struct named_tokens *t, const char *secret, uint64_t now_ns)
{
	uint8_t hash[SHA256_SIZE];

	if (strncmp(secret, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0)
		return NULL;
	sha256(secret, strlen(secret), hash);
	/* how far two hashes agree tells nothing of a secret */
	for (size_t i = 0; i < t->n; i++)
		if (memcmp(t->items[i].hash, hash, sizeof(hash)) == 0 &&
		    !has_ended(&t->items[i], now_ns))
			return &t->items[i];
	return NULL;
}

int named_tokens_drop(struct named_tokens *t, const char *name)
{
	struct named_token *k = find_name(t, name);

	if (!k)
		return -ENOENT;
	*k = t->items[--t->n];
	return 0;
}

static void put_time(struct json_writer *w, const char *key, uint64_t ns)
{
	if (ns)
		json_put_seconds(w, key, (int64_t)ns);
	else
		json_put_null(w, key);
}

void named_tokens_put(const struct named_tokens *t, bool kept, struct json_writer *w)
{
	json_put_object(w, NULL);
	json_put_array(w, "tokens");
	for (size_t i = 0; i < t->n; i++) {
		const struct named_token *k = &t->items[i];
		char hash[2 * SHA256_SIZE + 1];

		json_put_object(w, NULL);
		json_put_string(w, "name", k->name);
		json_put_string(w, "scope", scope_name(k->scope.may));
		json_put_string(w, "service", *k->scope.service ? k->scope.service : NULL);
		put_time(w, "created", k->made_ns);
		put_time(w, "expires", k->until_ns);
		if (kept) {
			put_hex(k->hash, sizeof(k->hash), hash);
			json_put_string(w, "sha256", hash);
		} else {
			put_time(w, "used", k->used_ns);
		}
		json_put_end(w);
	}
	json_put_end(w);
	json_put_end(w);
}

/* Seconds since 1970, or null. */
static bool take_time(const json_t *value, uint64_t *ret)
{
	double seconds = json_number_value(value);

	if (json_is_null(value))
		return true;
	if (!json_is_number(value) || !(seconds > 0 && seconds < 1e10))
		return false;
	*ret = (uint64_t)(seconds * 1e9);
	return true;
}

static bool take_one(const json_t *one, struct named_token *ret)
{
	const char *name = json_string_value(json_object_get(one, "name")),
		   *scope = json_string_value(json_object_get(one, "scope"));
	const json_t *service = json_object_get(one, "service");

	if (!name || !token_name_valid(name) || !scope || scope_find(scope, &ret->scope.may) < 0 ||
	    ret->scope.may == SCOPE_ALL || !(json_is_null(service) || json_is_string(service)) ||
	    !take_time(json_object_get(one, "created"), &ret->made_ns) ||
	    !take_time(json_object_get(one, "expires"), &ret->until_ns) ||
	    !take_hex(json_string_value(json_object_get(one, "sha256")), ret->hash, SHA256_SIZE))
		return false;
	if (json_is_string(service)) {
		const char *text = json_string_value(service);

		if (!*text || !scope_text_valid(text, SCOPE_SERVICE_MAX))
			return false;
		strcpy(ret->scope.service, text);
	}
	strcpy(ret->name, name);
	name_it(ret);
	return true;
}

int named_tokens_parse(struct named_tokens *t, const char *text, size_t size)
{
	json_t *all = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(all, "tokens"), *one;
	int r = json_is_array(list) && json_array_size(list) <= NAMED_TOKENS_MAX ? 0 : -EBADMSG;
	size_t i;

	t->n = 0;
	json_array_foreach(list, i, one)
	{
		struct named_token k = {};

		if (r == 0 && (!take_one(one, &k) || find_name(t, k.name)))
			r = -EBADMSG;
		if (r == 0)
			t->items[t->n++] = k;
	}
	if (r < 0)
		t->n = 0;
	json_decref(all);
	return r;
}

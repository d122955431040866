/* SPDX-License-Identifier: BSD-2-Clause */
#include "ship/native.h"

#include "clickhouse/rows.h"
#include "profile/dict.h"

/* How a column of LowCardinality begins: its dictionary comes with it (SerializationLowCardinality,
 * KeysSerializationVersion::SharedDictionariesWithAdditionalKeys). */
#define SHARED_WITH_ADDITIONAL UINT64_C(1)
/* The width of its numbers, 0 to 2, and that there are keys, which are new. */
#define ADDITIONAL_KEYS   (UINT64_C(1) << 9)
#define UPDATE_DICTIONARY (UINT64_C(1) << 10)

/* What has been read of a column. */
struct gathered {
	struct buf ends;   /* of an array: how many elements there are up to each row's end */
	struct buf values; /* of a text: its number, 32 bits each */
	uint64_t elements;
	struct dict *texts;
};

struct gathering {
	struct gathered of[NATIVE_COLUMNS_MOST];
	struct buf text; /* the one that is looked up, with a NUL */
};

static void gathering_done(struct gathering *g)
{
	for (size_t i = 0; i < NATIVE_COLUMNS_MOST; i++) {
		buf_free(&g->of[i].ends);
		buf_free(&g->of[i].values);
		dict_free(g->of[i].texts);
	}
	buf_free(&g->text);
}

static int gather_text(struct gathering *g, struct gathered *to, const char *text, size_t size)
{
	uint32_t id;
	int r = to->texts ? 0 : dict_new(&to->texts);

	buf_clear(&g->text);
	buf_append(&g->text, text, size);
	buf_putc(&g->text, '\0');
	if (r < 0 || g->text.error)
		return -ENOMEM;
	if (strlen(g->text.data) != size)
		return -EBADMSG;
	r = dict_text(to->texts, g->text.data, &id);
	if (r == 0)
		rows_put_u32(&to->values, id);
	return r;
}

static int gather(struct gathering *g, struct gathered *to, enum native_kind kind,
		  struct rows_reader *rows)
{
	const char *text;
	size_t size;

	to->elements++;
	switch (kind) {
	case NATIVE_U8:
		rows_put_u8(&to->values, rows_u8(rows));
		return 0;
	case NATIVE_U16:
		rows_put_u16(&to->values, rows_u16(rows));
		return 0;
	case NATIVE_U32:
		rows_put_u32(&to->values, rows_u32(rows));
		return 0;
	case NATIVE_U64:
		rows_put_u64(&to->values, rows_u64(rows));
		return 0;
	case NATIVE_STRING:
	case NATIVE_TEXT:
		break;
	}
	text = rows_text(rows, &size);
	if (kind == NATIVE_TEXT)
		return gather_text(g, to, text, size);
	rows_put_array(&to->values, size);
	buf_append(&to->values, text, size);
	return 0;
}

/* A column of one row. */
static int gather_column(struct gathering *g, struct gathered *to, const struct native_column *c,
			 struct rows_reader *rows)
{
	size_t n = c->array ? rows_array(rows) : 1;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = gather(g, to, c->kind, rows);
	if (c->array)
		rows_put_u64(&to->ends, to->elements);
	return r;
}

static void put_texts(const struct gathered *of, struct buf *to)
{
	uint32_t n = dict_texts(of->texts);
	unsigned int width = n <= UINT8_MAX + 1u ? 0 : n <= UINT16_MAX + 1u ? 1 : 2;
	struct rows_reader ids = rows_of(&of->values);

	rows_put_u64(to, width | ADDITIONAL_KEYS | UPDATE_DICTIONARY);
	rows_put_u64(to, n);
	for (uint32_t i = 0; i < n; i++)
		rows_put_string(to, dict_get_text(of->texts, i));
	rows_put_u64(to, of->elements);
	while (rows_more(&ids)) {
		uint32_t id = rows_u32(&ids);

		if (width == 0)
			rows_put_u8(to, (uint8_t)id);
		else if (width == 1)
			rows_put_u16(to, (uint16_t)id);
		else
			rows_put_u32(to, id);
	}
}

static void put_column(const struct native_column *c, const struct gathered *of, struct buf *to)
{
	_cleanup_buf_ struct buf type = {};

	buf_puts(&type, c->array ? "Array(" : "");
	buf_puts(&type, c->type);
	buf_puts(&type, c->array ? ")" : "");
	rows_put_string(to, c->name);
	rows_put_array(to, type.size);
	buf_append(to, type.data, type.size);
	if (c->kind == NATIVE_TEXT)
		rows_put_u64(to, SHARED_WITH_ADDITIONAL);
	buf_append(to, of->ends.data, of->ends.size);
	if (c->kind != NATIVE_TEXT)
		buf_append(to, of->values.data, of->values.size);
	else if (of->elements)
		put_texts(of, to);
}

void native_into(const struct native_table *t, struct buf *to)
{
	buf_printf(to, "%s (", t->name);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(to, "%s%s", i ? ", " : "", t->columns[i].name);
	buf_putc(to, ')');
}

int native_of(const struct native_table *t, const struct buf *rows, struct buf *to)
{
	_cleanup_(gathering_done) struct gathering g = {};
	struct rows_reader reader = rows_of(rows);
	size_t n = 0;
	int r = 0;

	for (; rows_more(&reader) && r == 0; n++)
		for (size_t i = 0; i < t->n && r == 0; i++)
			r = gather_column(&g, &g.of[i], &t->columns[i], &reader);
	if (r < 0 || rows_bad(&reader))
		return r < 0 ? r : -EBADMSG;
	rows_put_array(to, t->n);
	rows_put_array(to, n);
	for (size_t i = 0; i < t->n; i++) {
		if (g.of[i].values.error || g.of[i].ends.error)
			return -ENOMEM;
		put_column(&t->columns[i], &g.of[i], to);
	}
	return to->error;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "gateway/gateway.h"
#include "http/exchange.h"

/*
 * What the gateway says itself to a browser that has no session: pages in the viewer's look, that
 * need no JavaScript. The form sends the token in a body, so that it is in no history and no log.
 */

static const struct {
	unsigned int status;
	bool form;
	const char *title;
	const char *text; /* HTML */
} pages[] = {
	[PAGE_LOGIN] = { 401, true, "Log in",
			 "<p>This page shows what the programs of this host do: it needs a "
			 "token.</p>" },
	[PAGE_BAD_TOKEN] = { 401, true, "This token is not good",
			     "<p role=\"alert\" class=\"bad\">It has ended, or is not one of "
			     "this host: a token is good for an hour, and until somebody logs out "
			     "or "
			     "plopd starts anew. Get another one.</p>" },
	[PAGE_TOO_OFTEN] = { 429, true, "Too many tries",
			     "<p role=\"alert\" class=\"bad\">From this address many tokens were "
			     "tried. Try again in a moment.</p>" },
	[PAGE_DOWN] = { 503, true, "plopd does not answer",
			"<p role=\"alert\" class=\"bad\">It checks tokens, so nobody can log in "
			"just "
			"now. On the host, see why:</p>\n<pre>systemctl status plopd</pre>" },
	[PAGE_OTHER_PLACE] = { 403, false, "Not by this address",
			       "<p role=\"alert\" class=\"bad\">The name in the address is not one "
			       "that plop-gateway listens by, so another place may have sent this "
			       "browser here. Use the address that this prints on the host:</p>\n"
			       "<pre>plopctl open</pre>" },
};

static const char how[] =
	"<h2>How to get one</h2>\n"
	"<p>On the host, as root or as a member of group plop:</p>\n<pre>plopctl open</pre>\n"
	"<p>Follow the address that it prints, or paste it above. From another machine:</p>\n"
	"<pre>ssh HOST plopctl open</pre>\n"
	"<p class=\"soft\">A token is good for an hour. This browser then stays logged in for a "
	"day, or until you log out.</p>\n";

void gateway_put_query(struct buf *b, const struct api_request *q, bool html)
{
	const char *between = "?";

	for (size_t i = 0; i < q->nparameters; i++) {
		if (streq(q->parameters[i].key, "token"))
			continue;
		buf_puts(b, between);
		http_escape(b, q->parameters[i].key);
		buf_putc(b, '=');
		http_escape(b, q->parameters[i].value);
		between = html ? "&amp;" : "&";
	}
}

void gateway_reply_page(const struct api_request *q, enum gateway_page page)
{
	/*
	 * With "no-referrer" a browser sends "Origin: null" with the form, which
	 * gateway_authorize() refuses. This one tells the place, never the address.
	 */
	static const char *const headers[] = { GATEWAY_POLICY, "Referrer-Policy: strict-origin",
					       NULL };
	_cleanup_buf_ struct buf body = {};

	buf_printf(&body,
		   "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		   "<meta name=\"color-scheme\" content=\"light dark\">\n<title>plop: %s</title>\n"
		   "<link rel=\"icon\" href=\"favicon.svg\" type=\"image/svg+xml\">\n"
		   "<link rel=\"stylesheet\" href=\"login.css\">\n</head>\n<body>\n<main>\n"
		   "<p class=\"brand\"><img src=\"favicon.svg\" alt=\"\" width=\"30\" "
		   "height=\"30\">plop</p>\n<h1>%s</h1>\n%s\n",
		   pages[page].title, pages[page].title, pages[page].text);
	if (pages[page].form) {
		buf_puts(&body, "<form method=\"post\" action=\"./");
		gateway_put_query(&body, q, true);
		buf_printf(&body,
			   "\">\n<label for=\"token\">Token, or the whole address with it</label>\n"
			   "<div><input type=\"password\" id=\"token\" name=\"token\" required "
			   "maxlength=\"%d\" autocomplete=\"off\" spellcheck=\"false\" autofocus>"
			   "<button>Log in</button></div>\n</form>\n%s",
			   CHECK_FORM_MAX / 3, how);
	}
	buf_puts(&body, "</main>\n</body>\n</html>\n");
	api_reply(q->call, pages[page].status, "text/html; charset=utf-8", &body, headers);
}

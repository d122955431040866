# SPDX-License-Identifier: BSD-2-Clause
"""A small shop front in Tornado, for the demo and for the tests: something believable to look at in a profile.

    demo_server.py [--port N] [--seconds S] [--release N]

Serves on loopback (port 0: a free one) and prints "READY PID PORT". Pages:
    /           the catalogue, a template over 200 products
    /search?q=  a regular expression over product texts
    /report     orders summed up by month and sorted, as JSON
    /login      checks a password (PBKDF2, in a thread pool, so that the loop stays free)
    /recommend  similar products: sets and a sort
Ends after --seconds (3600) or with SIGTERM. From release 2 on /recommend is slower: somebody has a set made of what is one.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import signal
import sys

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.template
import tornado.web

WORDS = ("amber anchor apple arrow basil birch candle canvas cedar clay copper cotton dusk ember fern flint forest glass "
         "granite harbour hazel indigo iron ivory juniper lantern linen maple marble meadow mint moss oak olive opal paper "
         "pearl pine plum quartz raven river sage sand silk silver slate smoke stone thyme walnut willow wool").split()

CATALOGUE = tornado.template.Template("""<!doctype html>
<html><head><title>{{ title }}</title></head><body><h1>{{ title }}</h1>
<table>
{% for product in products %}
<tr class="{% if product['stock'] %}there{% else %}gone{% end %}">
<td>{{ product["name"].title() }}</td><td>{{ "%.2f" % product["price"] }}</td>
<td>{{ ", ".join(sorted(product["tags"])) }}</td><td>{{ product["text"][:60] }}</td></tr>
{% end %}
</table></body></html>
""")


class Shop(object):
    """Products and orders, made up from a fixed seed: every start serves the same."""

    def __init__(self, release=1):
        self.release = release
        chance = random.Random(2012)
        self.products = []
        for number in range(200):
            self.products.append({
                "id": number,
                "name": " ".join(chance.sample(WORDS, 2)),
                "price": chance.uniform(2, 200),
                "stock": chance.randrange(4),
                "tags": set(chance.sample(WORDS, 6)),
                "text": " ".join(chance.choice(WORDS) for _ in range(60)),
            })
        self.orders = [
            {"product": chance.randrange(200), "month": chance.randrange(12), "count": chance.randrange(1, 9)}
            for _ in range(6000)
        ]
        self.salt = b"demo salt"
        self.secret = hash_password("correct horse", self.salt)

    def search(self, words):
        pattern = re.compile(r"\b(?:%s)\w*\b(?:\s+\w+){0,3}" % "|".join(re.escape(word) for word in words))
        hits = []
        for product in self.products:
            found = pattern.findall(product["text"])
            if found:
                hits.append((len(found), product["name"], found[0]))
        hits.sort(reverse=True)
        return hits[:20]

    def revenue_by_month(self):
        months = {}
        for order in self.orders:
            product = self.products[order["product"]]
            month = months.setdefault(order["month"], {})
            month[product["name"]] = month.get(product["name"], 0.0) + product["price"] * order["count"]
        return months

    def best_sellers(self):
        report = []
        for month, sums in sorted(self.revenue_by_month().items()):
            ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
            report.append({"month": month + 1, "total": sum(sums.values()), "best": ranked[:5]})
        return report

    def similar(self, product):
        scored = []
        for other in self.products:
            if other is not product:
                if self.release >= 2:
                    product["tags"], other["tags"] = set(sorted(product["tags"])), set(sorted(other["tags"]))
                common = product["tags"] & other["tags"]
                every = product["tags"] | other["tags"]
                scored.append((len(common) / float(len(every)), other["name"]))
        return sorted(scored, reverse=True)[:10]


def hash_password(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8"), salt, 12000)


class Page(tornado.web.RequestHandler):
    @property
    def shop(self):
        return self.application.settings["shop"]


class CataloguePage(Page):
    def get(self):
        self.finish(CATALOGUE.generate(title="Everything", products=self.shop.products))


class SearchPage(Page):
    def get(self):
        words = self.get_argument("q", "amber").split()[:5]
        self.finish({"hits": self.shop.search(words or ["amber"])})


class ReportPage(Page):
    def get(self):
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self.shop.best_sellers(), indent=1))


class RecommendPage(Page):
    def get(self):
        number = int(self.get_argument("id", "0")) % len(self.shop.products)
        self.finish({"similar": self.shop.similar(self.shop.products[number])})


class LoginPage(Page):
    async def post(self):
        loop = tornado.ioloop.IOLoop.current()
        password = self.get_argument("password", "")[:100]
        hashed = await loop.run_in_executor(self.application.settings["pool"], hash_password, password, self.shop.salt)
        if hashed != self.shop.secret:
            self.set_status(403)
        self.finish({"welcome": hashed == self.shop.secret})


def main():
    parser = argparse.ArgumentParser(description="a small shop front in Tornado")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--release", type=int, default=1)
    options = parser.parse_args()

    pages = [(r"/", CataloguePage), (r"/search", SearchPage), (r"/report", ReportPage), (r"/recommend", RecommendPage),
             (r"/login", LoginPage)]
    application = tornado.web.Application(pages, shop=Shop(options.release), log_function=lambda handler: None,
                                          pool=concurrent.futures.ThreadPoolExecutor(2))
    sockets = tornado.netutil.bind_sockets(options.port, "127.0.0.1")
    server = tornado.httpserver.HTTPServer(application)
    server.add_sockets(sockets)
    loop = tornado.ioloop.IOLoop.current()
    signal.signal(signal.SIGTERM, lambda number, frame: loop.add_callback_from_signal(loop.stop))
    loop.call_later(options.seconds, loop.stop)
    print("READY %d %d" % (os.getpid(), sockets[0].getsockname()[1]))
    sys.stdout.flush()
    loop.start()


if __name__ == "__main__":
    main()

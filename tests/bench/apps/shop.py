# SPDX-License-Identifier: BSD-2-Clause
"""A Django application for tests/bench: stacks of 60 frames under gunicorn, 500 functions. gunicorn shop:application"""
import json

from django import forms
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.template import engines
from django.urls import path

import functions

settings.configure(
    SECRET_KEY="of a bench", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware", "django.middleware.gzip.GZipMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
application = get_wsgi_application()
STEPS = functions.load()
DEPTH = 36  # gunicorn and Django have two dozen frames above it
TEMPLATE = engines["django"].from_string("""<ul>{% for item in items %}{% if item.n|divisibleby:2 %}
<li class="{{ item.name|slugify }}">{{ item.name|title }}: {{ item.n|add:item.more }}</li>{% endif %}{% endfor %}</ul>""")


class Order(forms.Form):
    name = forms.CharField(max_length=40)
    number = forms.IntegerField(min_value=1, max_value=1000)
    mail = forms.EmailField()


def steps(request, route):
    return HttpResponse("%d\n" % STEPS.run(route, DEPTH, 1500))


def page(request, route):
    items = [{"name": "thing %d of %d" % (n, route), "n": n, "more": route} for n in range(12)]
    return HttpResponse(TEMPLATE.render({"items": items}, request))


def order(request, route):
    form = Order({"name": "somebody", "number": 1 + route, "mail": "a%d@example.org" % route})
    return JsonResponse({"valid": form.is_valid(), "orders": json.loads(json.dumps([{"n": i, "of": route} for i in range(40)]))})


def view(request, route):
    """Two of three requests go deep; the rest is Django's own."""
    route %= 64
    return (steps, page, steps, order, steps, steps)[route % 6](request, route)


urlpatterns = [path("<int:route>", view)]

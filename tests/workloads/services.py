# SPDX-License-Identifier: BSD-2-Clause
"""
Processes that are part of a service without their environment or command line saying so, by services.py KIND: spawn, forkserver, fork (multiprocessing), loky
(joblib), dask (distributed, with its nannies), title and restless (setproctitle), exec. Says READY when they are there. As a module: a WSGI and an ASGI application,
a Celery application, and a test for pytest.
"""
import multiprocessing
import os
import sys
import time


def app(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"plop"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plop"})


def spin():
    n = 0
    for i in range(20000):
        n += i
    return n


def work(ready):
    ready.release()
    while True:
        spin()
        time.sleep(0.01)


def multiprocess(kind):
    # an interpreter that is started by a script of its own
    multiprocessing.set_executable(os.environ["PLOP_TEST_PYTHON"])
    context = multiprocessing.get_context(kind)
    ready = context.Semaphore(0)
    workers = [context.Process(target=work, args=(ready,), daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    print("READY", flush=True)
    sys.stdin.read()


def for_loky(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while os.path.isdir(folder):
        time.sleep(0.05)


def loky():
    import tempfile
    import threading

    import joblib
    folder = tempfile.mkdtemp()
    threading.Thread(target=lambda: joblib.Parallel(n_jobs=2)(joblib.delayed(for_loky)(folder) for _ in range(2)), daemon=True).start()
    while len(os.listdir(folder)) < 2:
        time.sleep(0.02)
    print("READY", flush=True)
    sys.stdin.read()
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)


def dask():
    from distributed import LocalCluster
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
    print("READY", flush=True)
    sys.stdin.read()
    cluster.close()


def title():
    """A title that is set late, and a forked child with a title of its own."""
    import setproctitle
    print("READY", flush=True)
    sys.stdin.readline()
    setproctitle.setproctitle("shop: idle since monday")
    if os.fork() == 0:
        setproctitle.setproctitle("shop: child at work")
        while True:
            spin()
            time.sleep(0.01)
    print("SET", flush=True)
    sys.stdin.read()


def restless():
    import setproctitle
    print("READY", flush=True)
    for n in range(1 << 30):
        setproctitle.setproctitle("restless: request %d" % n)
        end = time.time() + 0.1
        while time.time() < end:
            spin()
            time.sleep(0.01)


def execute():
    """Some seconds' samples as "before", then as "after", of another program in the same process."""
    print("READY", flush=True)
    line = sys.stdin.readline
    burn(line)
    os.environ["PLOP_SERVICE"] = "after"
    os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), "after"])


def burn(line):
    """Until there is a line."""
    import threading
    threading.Thread(target=line, daemon=True).start()
    while threading.active_count() > 1:
        spin()


def after():
    print("AFTER", flush=True)
    burn(sys.stdin.readline)


def main():
    kind = sys.argv[1]
    if kind in ("spawn", "forkserver", "fork"):
        multiprocess(kind)
    else:
        {"loky": loky, "dask": dask, "title": title, "restless": restless, "exec": execute, "after": after}[kind]()


if __name__ == "__main__":
    main()
elif os.environ.get("PLOP_TEST_CELERY"):
    import celery
    capp = celery.Celery("capp", broker="memory://", backend="cache+memory://")
elif os.environ.get("PYTEST_XDIST_WORKER"):
    def test_waits():
        folder = os.environ["PLOP_TEST_FOLDER"]
        open(os.path.join(folder, str(os.getpid())), "w").close()
        while os.path.exists(os.path.join(folder, "go")):
            time.sleep(0.05)
    test_waits_too = test_waits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with an interpreter of its own that works before the interpreter is up, in it, in its
 * atexit handler while it finalises, and after it is gone. Prints "READY PID", waits for a line on
 * its standard input, and at the end prints
 *     DONE PID {"before": SECONDS, "during": ..., "atexit": ..., "after": ...}
 * with the CPU time of each. Built by tests/system/headings.py against every CPython that has its
 * headers.
 */
#include <Python.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 0.6

static const char program[] = "import atexit\n"
			      "def during(told):\n"
			      "    x = 1\n"
			      "    while told() < 0.6:\n"
			      "        for i in range(5000):\n"
			      "            x = x * 33 & 65535\n"
			      "def finish():\n"
			      "    during(embed.atexit)\n"
			      "import embed\n"
			      "atexit.register(finish)\n"
			      "during(embed.during)\n";

static double spent[4], begun[4];

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void burn(int phase)
{
	volatile unsigned int x = 1;

	begun[phase] = cpu();
	while ((spent[phase] = cpu() - begun[phase]) < SECONDS) {
		for (int i = 0; i < 100000; i++)
			x = x * 33 & 65535;
	}
}

static PyObject *told(int phase)
{
	if (begun[phase] == 0)
		begun[phase] = cpu();
	spent[phase] = cpu() - begun[phase];
	return PyFloat_FromDouble(spent[phase]);
}

static PyObject *told_during(PyObject *self, PyObject *none)
{
	(void)self;
	(void)none;
	return told(1);
}

static PyObject *told_atexit(PyObject *self, PyObject *none)
{
	(void)self;
	(void)none;
	return told(2);
}

static PyMethodDef methods[] = {
	{ "during", told_during, METH_NOARGS, NULL },
	{ "atexit", told_atexit, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

#if PY_MAJOR_VERSION >= 3
static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT, "embed", NULL, -1, methods, NULL, NULL, NULL, NULL
};

static PyObject *embed_new(void)
{
	return PyModule_Create(&module);
}
#else
static void embed_new(void)
{
	Py_InitModule("embed", methods);
}
#endif

int main(void)
{
	char line[16];

	printf("READY %d\n", (int)getpid());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	burn(0);
	PyImport_AppendInittab("embed", embed_new);
	Py_Initialize();
	if (PyRun_SimpleString(program) < 0)
		return 1;
	Py_Finalize();
	burn(3);
	printf("DONE %d {\"before\": %f, \"during\": %f, \"atexit\": %f, \"after\": %f}\n",
	       (int)getpid(), spent[0], spent[1], spent[2], spent[3]);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) ? 0 : 1;
}

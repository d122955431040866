/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a library an interpreter in plop's eyes, and nothing else. FAKE_HEX: a Py_Version
 * (3.11 and later); FAKE_TABLE: the version in its table of offsets;
 * FAKE_TAG, FAKE_VERSION: the strings of older ones; FAKE_INTERP: the variable that 3.6 and older
 * have instead of _PyRuntime, FAKE_PLAIN: their function does nothing but return it; FAKE_REFS:
 * built with Py_TRACE_REFS; FAKE_PYPY.
 */
#ifdef FAKE_PYPY
int pypy_main_startup(int argc, char **argv);
int pypy_main_startup(int argc, char **argv)
{
	return argc + !argv;
}
#else
#ifdef FAKE_INTERP
static void *FAKE_INTERP;
extern void *_PyThreadState_Current;
void *_PyThreadState_Current;

void *PyInterpreterState_Head(void);
void *PyInterpreterState_Head(void)
{
#ifndef FAKE_PLAIN
	if (_PyThreadState_Current)
		return 0;
#endif
	return FAKE_INTERP;
}

void **fake_interp(void);
void **fake_interp(void)
{
	return &FAKE_INTERP;
}
#else
#ifndef FAKE_TABLE
#define FAKE_TABLE ""
#endif
extern char _PyRuntime[4096];
__attribute__((section(".PyRuntime"))) char _PyRuntime[4096] = "xdebugpy" FAKE_TABLE;
#endif

#ifdef FAKE_REFS
void _Py_PrintReferences(void);
void _Py_PrintReferences(void)
{
}
#endif

#ifdef FAKE_HEX
extern const unsigned long Py_Version;
const unsigned long Py_Version = FAKE_HEX;

/* Code, because an interpreter is found by a mapping that is executable. */
const char *fake_code(void);
const char *fake_code(void)
{
	return _PyRuntime;
}
#else
const char *fake_strings(int which);
const char *fake_strings(int which)
{
	static const char tag[] = FAKE_TAG, other[] = "2.3.4", longer[] = "/opt/python/3.8.99x";
	static const char version[] = FAKE_VERSION;

	return which == 0 ? tag : which == 1 ? other : which == 2 ? longer : version;
}
#endif
#endif

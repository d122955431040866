/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile KIND FOLDER: a process that does what it can to have plopd spend time and memory on it.
 * READY PID; it ends with its standard input. In FOLDER it may write. KIND:
 *     mappings   maps two files that are called libpython 32,000 times by turns, and executes
 *                itself anew every half second, so that it is looked at anew
 *     libraries  maps 8,000 files, each a library that is called libpython and is another file,
 *                and executes itself anew
 *     elves      maps 500 files that are called libpython and say that they have a million
 *                symbols, 4,096 sections and 64 MB to look for a version in, and executes itself
 *                anew
 *     swapped    maps a library, and has others take the place of its file and of its program's:
 *                a FIFO, an endless file, a folder, a link to itself, in a mount namespace of its
 *                own where it may have one
 *     execs      executes itself anew as often as can be, with 2 MB of arguments
 *     environ    the same every 20 ms, with 1 MB of arguments and 1 MB of environment
 *     forks      makes processes that end at once, 50 at a time
 *     titles     writes another command line and another name all the time
 *     forged     looks like a CPython 3.12 whose memory is made up: every tick meets code objects
 *                that are new, in stacks of 900 frames; names of 4 kB, line tables that say that
 *                they have a gigabyte
 *     changing   the same, with a second thread that changes the code objects all the time
 *     cycles     the same, where interpreters, thread states and frames are rings
 *     threads    the same with 1,000 threads of which none is known, each of which runs by turns
 * Built by tests/system/hostile.py and tests/bench/attack, with -rdynamic.
 */
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAPPINGS  32000
#define LIBRARIES 8000
#define ELVES     500
#define CODES     65536ul
#define DEPTH     900ul
#define THREADS   1000

/* What plopd takes for CPython 3.12: daemon/python/version_3_12.c has where its fields lie. */
extern const unsigned long Py_Version;
const unsigned long Py_Version = 0x030c00f0;
extern char _PyRuntime[4096];
char _PyRuntime[4096];

static char **args;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int over(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Works for a while, so that ticks meet it. Ends with standard input. */
static void work(unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end) {
		for (volatile int i = 0; i < 100000; i++)
			;
		if (over())
			exit(0);
	}
}

static void put(char *at, size_t offset, uint64_t v, size_t size)
{
	memcpy(at + offset, &v, size);
}

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void again(void)
{
	if (over())
		exit(0);
	execv("/proc/self/exe", args);
	err(1, "execv");
}

/* A copy of FOLDER/forged, which is an interpreter in plop's eyes. */
static int copy_of_forged(const char *folder, const char *name)
{
	char path[4096], block[65536];
	int from, to;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/forged", folder);
	from = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	to = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (to < 0)
		err(1, "%s", path);
	if (lseek(to, 0, SEEK_END) == 0) {
		while ((n = read(from, block, sizeof(block))) > 0) {
			if (write(to, block, (size_t)n) != n)
				err(1, "%s", path);
		}
	}
	close(from);
	return to;
}

static void map_one(char *at, int fd)
{
	if (mmap(at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
	    MAP_FAILED)
		err(1, "mmap");
}

static void run_mappings(const char *folder)
{
	int fds[] = { copy_of_forged(folder, "libpython3.12.so.1.0"),
		      copy_of_forged(folder, "libpython3.11.so.1.0") };
	char *at = memory(MAPPINGS * 4096ul);

	for (size_t i = 0; i < MAPPINGS; i++)
		map_one(at + i * 4096, fds[i % 2]);
	work(500);
	again();
}

static void run_libraries(const char *folder)
{
	char *at = memory(LIBRARIES * 4096ul), name[64];

	for (size_t i = 0; i < LIBRARIES; i++) {
		snprintf(name, sizeof(name), "libpython3.12.so.%zu", i);
		int fd = copy_of_forged(folder, name);

		map_one(at + i * 4096, fd);
		close(fd);
	}
	work(1000);
	again();
}

/* An ELF file with nothing in it that its headers say, of which next to nothing is written. */
static int make_elf(const char *folder, size_t n)
{
	static const char names[] = "\0.symtab\0.strtab\0.shstrtab\0.PyRuntime";
	const size_t text = 64ul << 20, symbols = (1ul << 20) * sizeof(Elf64_Sym);
	const size_t sections = 4096, at = 4096 + text + symbols + 4096;
	Elf64_Shdr *s = calloc(sections, sizeof(*s));
	Elf64_Ehdr e = { .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_version = 1,
			 .e_phoff = sizeof(e),
			 .e_shoff = at,
			 .e_ehsize = sizeof(e),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1,
			 .e_shentsize = sizeof(*s),
			 .e_shnum = sections,
			 .e_shstrndx = 3 };
	Elf64_Phdr h = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = text, .p_memsz = text
	};
	char path[4096];
	int fd;

	memcpy(e.e_ident, ELFMAG "\2\1\1", 7);
	s[1] = (Elf64_Shdr){ .sh_name = 1,
			     .sh_type = SHT_SYMTAB,
			     .sh_offset = 4096 + text,
			     .sh_size = symbols,
			     .sh_link = 2,
			     .sh_entsize = sizeof(Elf64_Sym) };
	s[2] = (Elf64_Shdr){
		.sh_name = 9, .sh_type = SHT_STRTAB, .sh_offset = 4096, .sh_size = text
	};
	s[3] = (Elf64_Shdr){
		.sh_name = 17, .sh_type = SHT_STRTAB, .sh_offset = 1024, .sh_size = sizeof(names)
	};
	for (size_t i = 4; i < sections; i++)
		s[i] = (Elf64_Shdr){
			.sh_name = 27, .sh_type = SHT_PROGBITS, .sh_addr = 4096, .sh_size = 8
		};
	snprintf(path, sizeof(path), "%s/libpython3.9.so.%zu", folder, n);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || pwrite(fd, &e, sizeof(e), 0) < 0 ||
	    pwrite(fd, &h, sizeof(h), sizeof(e)) < 0 ||
	    pwrite(fd, names, sizeof(names), 1024) < 0 ||
	    pwrite(fd, s, sections * sizeof(*s), (off_t)at) < 0)
		err(1, "%s", path);
	free(s);
	return fd;
}

static void run_elves(const char *folder)
{
	char *at = memory(ELVES * 4096ul);

	for (size_t i = 0; i < ELVES; i++) {
		int fd = make_elf(folder, i);

		map_one(at + i * 4096, fd);
		close(fd);
	}
	work(1000);
	again();
}

/* Another kind of file, each time, in the place of one that is mapped. */
static void swap(const char *path, unsigned int n)
{
	char other[4200];

	snprintf(other, sizeof(other), "%s.next", path);
	unlink(other);
	rmdir(other);
	switch (n % 4) {
	case 0:
		if (mkfifo(other, 0666) < 0)
			err(1, "mkfifo");
		break;
	case 1:
		if (symlink("/dev/zero", other) < 0)
			err(1, "symlink");
		break;
	case 2:
		if (symlink(path, other) < 0)
			err(1, "symlink");
		break;
	default:
		if (symlink("/proc/self/root/proc/self/fd/0", other) < 0)
			err(1, "symlink");
		break;
	}
	if (rename(other, path) < 0)
		err(1, "%s", path);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* A mount namespace of its own, with an empty file system over a folder. */
static int enter_namespace(const char *folder)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_text("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_text("/proc/self/gid_map", map);
	return mount("none", folder, "tmpfs", 0, "size=64m");
}

static void run_swapped(const char *folder)
{
	const char *names[] = { "libpython3.12.so.9", "libpython3.10.so.9" };
	char *at = memory(2 * 4096ul), path[4096], within[4096], name[64];
	unsigned int n = 0;

	snprintf(within, sizeof(within), "%s/within", folder);
	if (mkdir(within, 0755) < 0 && errno != EEXIST)
		err(1, "%s", within);
	/* not everybody may; then it goes on without */
	(void)enter_namespace(within);
	for (;;) {
		for (size_t i = 0; i < 2; i++) {
			int fd;

			snprintf(name, sizeof(name), "within/%s", names[i]);
			snprintf(path, sizeof(path), "%s/%s", folder, name);
			unlink(path);
			fd = copy_of_forged(folder, name);
			map_one(at + i * 4096, fd);
			close(fd);
			swap(path, n++);
		}
		work(100);
	}
}

/* Up to 128 kB each, which is what Linux takes of one argument. */
static char **large(const char *first, size_t bytes)
{
	size_t n = bytes / 131000 + 1;
	char **list = calloc(n + 8, sizeof(*list));
	static char text[131000];

	memset(text, 'a', sizeof(text) - 1);
	list[0] = (char *)first;
	for (size_t i = 0; i < n - 1; i++)
		list[i + 1] = text;
	return list;
}

static void run_execs(size_t argument_bytes, size_t environ_bytes, unsigned int ms)
{
	char **list = large(args[0], argument_bytes),
	     **environment = large("HOSTILE_SAID=1", environ_bytes);
	size_t n = 0;

	while (list[n])
		n++;
	memmove(list + 3, list + 1, n * sizeof(*list));
	list[1] = args[1];
	list[2] = args[2];
	work(ms);
	execve("/proc/self/exe", list, environment);
	err(1, "execve");
}

static void run_forks(void)
{
	for (;;) {
		for (int i = 0; i < 50; i++) {
			if (fork() == 0) {
				work(1);
				_exit(0);
			}
		}
		while (wait(NULL) > 0)
			;
		if (over())
			exit(0);
	}
}

/* The forged interpreter: all of it in memory of its own. */
struct forged {
	char *interp, *codes, *frames, *texts, *table;
	size_t code_size;
};

static void forge_code(const struct forged *g, size_t i, uint64_t version)
{
	char *c = g->codes + i * g->code_size;

	put(c, 48, 3, 4);                   /* flags */
	put(c, 52, 1, 4);                   /* argcount */
	put(c, 68, i % 60000 + 1, 4);       /* first line */
	put(c, 84, version, 4);             /* somewhere in the fingerprint: its version */
	put(c, 112, (uint64_t)g->texts, 8); /* file name */
	put(c, 120, (uint64_t)(g->texts + 4096 + i % 4096), 8);
	put(c, 128, (uint64_t)(g->texts + 4096 + i % 4096 / 64 * 64), 8);
	put(c, 136, (uint64_t)g->table, 8);
}

static void forge_text(char *at, size_t length)
{
	put(at, 16, length, 8);
	put(at, 32, 1 << 2 | 1 << 5 | 1 << 6, 4); /* one byte for each, compact, ASCII */
}

static void forge(struct forged *g)
{
	char *runtime = _PyRuntime;

	g->code_size = 256;
	g->interp = memory(65536);
	g->codes = memory(CODES * g->code_size);
	g->frames = memory(65536 * 2);
	g->texts = memory(1 << 20);
	g->table = memory(4096 + (1 << 20) + 4096);
	memset(g->texts, 'f', 1 << 20);
	forge_text(g->texts, 4000);
	for (size_t i = 0; i < 64; i++)
		forge_text(g->texts + 4096 + i * 64, 4000);
	put(g->table, 16, 1ul << 30, 8);
	for (size_t i = 0; i < CODES; i++)
		forge_code(g, i, i);
	put(runtime, 40, (uint64_t)g->interp, 8);
}

/* A thread state for whoever calls it, with frames that the stack begins at. */
static char *forge_thread(const struct forged *g, char *state, char *cframe, char *frames)
{
	put(state, 8, 0, 8);
	put(state, 16, (uint64_t)g->interp, 8);
	put(state, 24, 0x18, 4);
	put(state, 56, (uint64_t)cframe, 8);
	put(state, 136, (uint64_t)pthread_self(), 8);
	put(state, 144, (uint64_t)gettid(), 8);
	put(cframe, 0, (uint64_t)frames, 8);
	for (size_t i = 0; i < DEPTH; i++) {
		char *f = frames + i * 72;

		put(f, 8, i + 1 < DEPTH ? (uint64_t)(f + 72) : 0, 8);
		put(f, 0, (uint64_t)g->codes, 8);
		put(f, 56, (uint64_t)(g->codes + 192 + 16), 8);
	}
	return state;
}

static struct forged forged;
static uint64_t version = CODES;

static void *change(void *nothing)
{
	for (size_t i = 0;; i = (i + 1) % CODES)
		forge_code(&forged, i, version++);
	return nothing;
}

/* All frames run other code objects than before. */
static void run_forged(int changing, int rings)
{
	char *state = memory(4096), *other;
	size_t next = 0;
	pthread_t thread;

	forge(&forged);
	forge_thread(&forged, state, state + 2048, forged.frames);
	put(forged.interp, 72, (uint64_t)state, 8);
	if (rings) {
		other = memory(4096);
		memcpy(other, state, 2048);
		put(forged.interp, 0, (uint64_t)forged.interp, 8);
		put(state, 8, (uint64_t)other, 8);
		put(other, 8, (uint64_t)other, 8);
		put(other, 136, 1, 8);
		put(state, 136, 1, 8);
		put(forged.frames + 800 * 72, 8, (uint64_t)forged.frames, 8);
	}
	if (changing && pthread_create(&thread, NULL, change, NULL) != 0)
		err(1, "pthread_create");
	for (;;) {
		for (size_t i = 0; i < DEPTH; i++) {
			char *f = forged.frames + i * 72;
			char *c = forged.codes + next * forged.code_size;

			put(f, 0, (uint64_t)c, 8);
			put(f, 56, (uint64_t)(c + 192 + 2 * (next % 16)), 8);
			next = (next + 1) % CODES;
			/* what was met before is another one by then */
			if (next == 0)
				version += CODES;
			if (!changing)
				forge_code(&forged, next, version + next);
		}
		work(1);
	}
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *run_thread(void *nothing)
{
	for (;;) {
		pthread_mutex_lock(&turn);
		work(2);
		pthread_mutex_unlock(&turn);
		usleep(1000);
	}
	return nothing;
}

static void run_threads(void)
{
	pthread_attr_t small;
	pthread_t thread;
	char *state = memory(4096), *ring = memory(4096ul * 3000);

	forge(&forged);
	forge_thread(&forged, state, state + 2048, forged.frames);
	put(state, 136, 1, 8);
	/* 3,000 states that are of no thread */
	for (size_t i = 0; i < 3000; i++) {
		memcpy(ring + i * 4096, state, 2048);
		put(ring + i * 4096, 8, (uint64_t)(ring + (i + 1) % 3000 * 4096), 8);
	}
	put(forged.interp, 72, (uint64_t)ring, 8);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, &small, run_thread, NULL) != 0)
			break;
	}
	run_thread(NULL);
}

static void run_titles(int argc, char **argv)
{
	char *from = argv[0], *end = argv[argc - 1] + strlen(argv[argc - 1]);
	unsigned long n = 0;
	char state[4096];

	(void)state;
	forge(&forged);
	char *ts = memory(4096);
	forge_thread(&forged, ts, ts + 2048, forged.frames);
	put(forged.interp, 72, (uint64_t)ts, 8);
	for (;;) {
		char name[16];

		snprintf(name, sizeof(name), "t%lu", n++);
		prctl(PR_SET_NAME, name);
		for (char *p = from; p < end; p++)
			*p = (char)('a' + n % 26);
		if (n % 1000 == 0)
			work(1);
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 2 ? argv[1] : "", *folder = argc > 2 ? argv[2] : "";
	const char *said = getenv("HOSTILE_SAID");

	args = argv;
	if (!said) {
		printf("READY %d\n", (int)getpid());
		fflush(stdout);
		setenv("HOSTILE_SAID", "1", 1);
	}
	if (strcmp(kind, "mappings") == 0)
		run_mappings(folder);
	else if (strcmp(kind, "libraries") == 0)
		run_libraries(folder);
	else if (strcmp(kind, "elves") == 0)
		run_elves(folder);
	else if (strcmp(kind, "swapped") == 0)
		run_swapped(folder);
	else if (strcmp(kind, "execs") == 0)
		run_execs(0, 0, 0);
	else if (strcmp(kind, "environ") == 0)
		run_execs(1000000, 1000000, 20);
	else if (strcmp(kind, "forks") == 0)
		run_forks();
	else if (strcmp(kind, "titles") == 0)
		run_titles(argc, argv);
	else if (strcmp(kind, "forged") == 0)
		run_forged(0, 0);
	else if (strcmp(kind, "changing") == 0)
		run_forged(1, 0);
	else if (strcmp(kind, "cycles") == 0)
		run_forged(0, 1);
	else if (strcmp(kind, "threads") == 0)
		run_threads();
	errx(2, "hostile KIND FOLDER");
}

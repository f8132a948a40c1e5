/* Makes a thread of librbd's sleep where the test says, which is before it locks a mutex: the chance that a scheduler
 * takes once in a thousand runs. To be loaded with LD_PRELOAD.
 *
 * A place is where the code of librbd locks, and how often that was passed before since `stall_begin`. The thread that
 * calls `stall_begin` never sleeps. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 4096, SLEEP_US = 10000 };

static struct {
    _Atomic uintptr_t at;
    atomic_uint passed;
} sites[MOST];

static atomic_bool watching;
static atomic_uint stalled_site, stalled_pass;
static __thread int is_tester;

static int is_librbd(uintptr_t at)
{
    Dl_info info;
    return dladdr((void *)at, &info) && strstr(info.dli_fname, "/librbd.so") != NULL;
}

/* The number of a site, which it keeps; MOST if it is none. */
static unsigned site(uintptr_t at)
{
    static _Thread_local uintptr_t others[64];
    if (others[at % 64] == at)
        return MOST;
    for (unsigned i = 0; i < MOST; i++) {
        uintptr_t there = atomic_load(&sites[i].at);
        if (there == 0) {
            if (!is_librbd(at)) {
                others[at % 64] = at;
                return MOST;
            }
            if (atomic_compare_exchange_strong(&sites[i].at, &there, at))
                there = at;
        }
        if (there == at)
            return i;
    }
    return MOST;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*_Atomic lock)(pthread_mutex_t *);
    if (lock == NULL)
        lock = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock");
    if (atomic_load(&watching) && !is_tester) {
        unsigned i = site((uintptr_t)__builtin_return_address(0));
        if (i < MOST && atomic_fetch_add(&sites[i].passed, 1) == stalled_pass && i == stalled_site)
            usleep(SLEEP_US);
    }
    return lock(mutex);
}

void stall_begin(unsigned at, unsigned pass)
{
    is_tester = 1;
    for (unsigned i = 0; i < MOST; i++)
        atomic_store(&sites[i].passed, 0);
    atomic_store(&stalled_site, at);
    atomic_store(&stalled_pass, pass);
    atomic_store(&watching, 1);
}

/* How often a site was passed since then; -1 if there is none of this number. */
int stall_passed(unsigned at)
{
    atomic_store(&watching, 0);
    return at < MOST && sites[at].at ? (int)atomic_load(&sites[at].passed) : -1;
}

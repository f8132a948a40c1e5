/* What the two libraries share. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define BYTE 0xab
#define SIZE ((uint64_t)1 << 30)

enum mode { INLINE, THREAD, LATER, REFUSE };

/* A completion of either library: as in librados, counted under a lock of its own. */
struct completion {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int references;
	bool complete;
	ssize_t value;
	void (*callback)(void *completion, void *argument);
	void *argument;
};

/* What an operation does when it completes. */
struct operation {
	void (*run)(struct operation *);
	void *buffer;
	size_t len;
	void *other;
	ssize_t value;
	bool quick; /* only the ends of the data are touched */
	struct completion *completion;
	struct timespec due;
	struct operation *next;
};

struct cluster {
	enum mode mode;
	long delay; /* microseconds */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool connected;
	bool stopping;
	pthread_t worker;
	struct operation *first, **end;
};

struct ioctx {
	struct cluster *cluster;
	int64_t pool;
};

#pragma GCC visibility push(hidden)

void nullceph_missing(const char *name) __attribute__((noreturn));
/* Aborts on the thread that calls back. */
void not_in_callback(struct cluster *cluster, const char *name);
bool parse_mode(const char *text, struct cluster *cluster);
void *worker(void *cluster);

int completion_new(void *argument, void (*callback)(void *, void *), void **out);
void completion_put(struct completion *completion);
void completion_wait(struct completion *completion);
bool completion_is_complete(struct completion *completion);
ssize_t completion_value(struct completion *completion);

/* Starts an operation; completes it if that is the mode. */
int submit(struct cluster *cluster, struct completion *completion, struct operation operation);
/* Completes what is waiting with -ECANCELED; whether it was there. */
bool cancel(struct cluster *cluster, struct completion *completion);

void read_into(struct operation *operation);
void write_from(struct operation *operation);

#pragma GCC visibility pop

/*
 * The same loop in C: operations at a queue depth, each with a completion, a callback and a small context of
 * its own. Speaks what src/protocol.rs describes.
 */
#define _POSIX_C_SOURCE 200809L
/* rados_aio_create_completion, which every release has. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rados/librados.h>
#include <rbd/librbd.h>

#define OBJECTS 16
#define MAX_DEPTH 1024

struct loop {
	rados_ioctx_t ioctx;
	rbd_image_t image;
	bool rbd, write;
	size_t size;
	uint64_t blocks; /* in an object, or the image */
	uint64_t random;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *free[MAX_DEPTH]; /* the buffers of no operation in flight */
	int free_count;
	bool waiting;
	int error;
};

struct operation {
	struct loop *loop;
	char *buffer;
};

static char names[OBJECTS][16];

static void fail(const char *what, int code)
{
	if (code < 0) {
		fprintf(stderr, "baseline: %s: %s\n", what, strerror(-code));
		exit(1);
	}
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

static void done(struct operation *operation, long code)
{
	struct loop *loop = operation->loop;

	pthread_mutex_lock(&loop->lock);
	if (code < 0)
		loop->error = code;
	loop->free[loop->free_count++] = operation->buffer;
	if (loop->waiting)
		pthread_cond_signal(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
	free(operation);
}

static void rados_done(rados_completion_t completion, void *argument)
{
	long code = rados_aio_get_return_value(completion);

	rados_aio_release(completion);
	done(argument, code);
}

static void rbd_done(rbd_completion_t completion, void *argument)
{
	long code = rbd_aio_get_return_value(completion);

	rbd_aio_release(completion);
	done(argument, code);
}

/* Waits until so many buffers are free, and takes the last. */
static char *take(struct loop *loop, int free_count)
{
	char *buffer;

	pthread_mutex_lock(&loop->lock);
	while (loop->free_count < free_count) {
		loop->waiting = true;
		pthread_cond_wait(&loop->changed, &loop->lock);
		loop->waiting = false;
	}
	fail("an operation", loop->error);
	buffer = loop->free[--loop->free_count];
	pthread_mutex_unlock(&loop->lock);
	return buffer;
}

static void start(struct loop *loop)
{
	struct operation *operation;
	uint64_t offset;
	const char *name;
	void *completion;
	char *buffer = take(loop, 1);

	loop->random ^= loop->random << 13;
	loop->random ^= loop->random >> 7;
	loop->random ^= loop->random << 17;
	name = names[loop->random % OBJECTS];
	offset = (loop->random >> 8) % loop->blocks * loop->size;
	operation = malloc(sizeof *operation);
	if (!operation)
		abort();
	operation->loop = loop;
	operation->buffer = buffer;
	if (loop->rbd) {
		fail("a completion", rbd_aio_create_completion(operation, rbd_done, &completion));
		if (loop->write)
			fail("rbd_aio_write", rbd_aio_write(loop->image, offset, loop->size, buffer,
							    completion));
		else
			fail("rbd_aio_read", rbd_aio_read(loop->image, offset, loop->size, buffer,
							  completion));
	} else {
		fail("a completion",
		     rados_aio_create_completion(operation, rados_done, NULL, &completion));
		if (loop->write)
			fail("rados_aio_write", rados_aio_write(loop->ioctx, name, completion, buffer,
								loop->size, offset));
		else
			fail("rados_aio_read", rados_aio_read(loop->ioctx, name, completion, buffer,
							      loop->size, offset));
	}
}

static uint64_t run(struct loop *loop, int depth, uint64_t most, uint64_t milliseconds)
{
	uint64_t end = now() + milliseconds * 1000000, started = 0;
	int i;

	for (i = 0; i < depth; i++)
		loop->free[i] = calloc(1, loop->size);
	loop->free_count = depth;
	while (started < most && (started % 16 != 0 || now() < end)) {
		start(loop);
		started++;
	}
	take(loop, depth);
	for (i = 0; i < depth; i++)
		free(loop->free[i]);
	return started;
}

int main(int argc, char **argv)
{
	static struct loop loop = {.lock = PTHREAD_MUTEX_INITIALIZER,
				   .changed = PTHREAD_COND_INITIALIZER};
	unsigned long long most, milliseconds, size, area;
	char api[8], direction[8], line[128];
	rados_t cluster;
	int depth, i;

	if (argc != 5)
		return 2;
	area = strtoull(argv[4], NULL, 10);
	for (i = 0; i < OBJECTS; i++)
		sprintf(names[i], "bench-%d", i);
	fail("rados_create2", rados_create2(&cluster, "ceph", "client.admin", 0));
	fail("rados_conf_read_file", rados_conf_read_file(cluster, argv[1]));
	fail("rados_connect", rados_connect(cluster));
	fail("rados_ioctx_create", rados_ioctx_create(cluster, argv[2], &loop.ioctx));
	fail("rbd_open", rbd_open(loop.ioctx, argv[3], &loop.image, NULL));
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		uint64_t before, count;

		if (sscanf(line, "%7s %7s %d %llu %llu %llu", api, direction, &depth, &size, &most,
			   &milliseconds) != 6 ||
		    depth > MAX_DEPTH)
			return 2;
		loop.rbd = !strcmp(api, "rbd");
		loop.write = !strcmp(direction, "write");
		loop.size = size;
		loop.blocks = (loop.rbd ? area : area / OBJECTS) / size;
		loop.random = UINT64_C(88172645463325252);
		before = now();
		count = run(&loop, depth, most, milliseconds);
		printf("%llu %llu\n", (unsigned long long)count,
		       (unsigned long long)(now() - before));
		fflush(stdout);
	}
	rbd_close(loop.image);
	rados_ioctx_destroy(loop.ioctx);
	rados_shutdown(cluster);
	return 0;
}

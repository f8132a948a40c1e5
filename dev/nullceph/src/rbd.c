/* librbd */
#include <rbd/librbd.h>

#include "nullceph.h"

struct image {
	struct cluster *cluster;
	pthread_rwlock_t lock;
	uint64_t size;
};

void rbd_version(int *major, int *minor, int *extra)
{
	*major = *minor = *extra = 0;
}

/* Images */

static struct image *image_new(rados_ioctx_t ioctx)
{
	struct image *image = malloc(sizeof *image);

	if (!image)
		abort();
	image->cluster = ((struct ioctx *)ioctx)->cluster;
	pthread_rwlock_init(&image->lock, NULL);
	image->size = SIZE;
	return image;
}

int rbd_open(rados_ioctx_t ioctx, const char *name, rbd_image_t *out, const char *snapshot)
{
	(void)name, (void)snapshot;
	*out = image_new(ioctx);
	return 0;
}

int rbd_open_read_only(rados_ioctx_t ioctx, const char *name, rbd_image_t *out,
		       const char *snapshot)
{
	return rbd_open(ioctx, name, out, snapshot);
}

int rbd_close(rbd_image_t handle)
{
	struct image *image = handle;

	not_in_callback(image->cluster, "rbd_close");
	pthread_rwlock_destroy(&image->lock);
	free(image);
	return 0;
}

int rbd_get_size(rbd_image_t handle, uint64_t *size)
{
	struct image *image = handle;

	pthread_rwlock_rdlock(&image->lock);
	*size = image->size;
	pthread_rwlock_unlock(&image->lock);
	return 0;
}

/* Blocking I/O */

ssize_t rbd_read(rbd_image_t image, uint64_t offset, size_t len, char *buffer)
{
	(void)image, (void)offset;
	memset(buffer, BYTE, len);
	return len;
}

ssize_t rbd_write(rbd_image_t image, uint64_t offset, size_t len, const char *data)
{
	(void)image, (void)offset, (void)data;
	return len;
}

int rbd_flush(rbd_image_t image)
{
	(void)image;
	return 0;
}

/* Completions */

int rbd_aio_create_completion(void *argument, rbd_callback_t callback, rbd_completion_t *out)
{
	return completion_new(argument, callback, out);
}

void rbd_aio_release(rbd_completion_t completion)
{
	completion_put(completion);
}

int rbd_aio_wait_for_complete(rbd_completion_t completion)
{
	completion_wait(completion);
	return 0;
}

int rbd_aio_is_complete(rbd_completion_t completion)
{
	return completion_is_complete(completion);
}

ssize_t rbd_aio_get_return_value(rbd_completion_t completion)
{
	return completion_value(completion);
}

/* Asynchronous I/O */

static int start(rbd_image_t image, rbd_completion_t completion, struct operation operation)
{
	return submit(((struct image *)image)->cluster, completion, operation);
}

int rbd_aio_read2(rbd_image_t image, uint64_t offset, size_t len, char *buffer,
		  rbd_completion_t completion, int flags)
{
	(void)offset, (void)flags;
	return start(image, completion,
		     (struct operation){.run = read_into, .buffer = buffer, .len = len, .value = len});
}

int rbd_aio_read(rbd_image_t image, uint64_t offset, size_t len, char *buffer,
		 rbd_completion_t completion)
{
	return rbd_aio_read2(image, offset, len, buffer, completion, 0);
}

int rbd_aio_write2(rbd_image_t image, uint64_t offset, size_t len, const char *data,
		   rbd_completion_t completion, int flags)
{
	(void)offset, (void)flags;
	return start(image, completion,
		     (struct operation){.run = write_from, .buffer = (void *)data, .len = len});
}

int rbd_aio_write(rbd_image_t image, uint64_t offset, size_t len, const char *data,
		  rbd_completion_t completion)
{
	return rbd_aio_write2(image, offset, len, data, completion, 0);
}

int rbd_aio_flush(rbd_image_t image, rbd_completion_t completion)
{
	return start(image, completion, (struct operation){0});
}

static void open_into(struct operation *operation)
{
	struct image *image = image_new(operation->other);

	memcpy(operation->buffer, &image, sizeof image);
}

int rbd_aio_open(rados_ioctx_t ioctx, const char *name, rbd_image_t *out, const char *snapshot,
		 rbd_completion_t completion)
{
	(void)name, (void)snapshot;
	return submit(((struct ioctx *)ioctx)->cluster, completion,
		      (struct operation){.run = open_into, .buffer = out, .other = ioctx});
}

static void close_it(struct operation *operation)
{
	struct image *image = operation->other;

	pthread_rwlock_destroy(&image->lock);
	free(image);
}

int rbd_aio_close(rbd_image_t image, rbd_completion_t completion)
{
	return start(image, completion, (struct operation){.run = close_it, .other = image});
}

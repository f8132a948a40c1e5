/* librados */
#define __STDC_FORMAT_MACROS
#include <rados/librados.h>

#include "nullceph.h"

void rados_version(int *major, int *minor, int *extra)
{
	*major = *minor = *extra = 0;
}

/* Connections */

int rados_create2(rados_t *out, const char *const name, const char *const user, uint64_t flags)
{
	struct cluster *cluster = calloc(1, sizeof *cluster);
	const char *mode = getenv("NULLCEPH");

	(void)name, (void)user, (void)flags;
	if (!cluster)
		return -ENOMEM;
	if (mode && !parse_mode(mode, cluster)) {
		free(cluster);
		return -EINVAL;
	}
	pthread_mutex_init(&cluster->lock, NULL);
	pthread_cond_init(&cluster->changed, NULL);
	cluster->end = &cluster->first;
	*out = cluster;
	return 0;
}

int rados_conf_read_file(rados_t cluster, const char *path)
{
	(void)cluster, (void)path;
	return 0;
}

int rados_conf_parse_env(rados_t cluster, const char *variable)
{
	(void)cluster, (void)variable;
	return 0;
}

int rados_conf_set(rados_t cluster, const char *option, const char *value)
{
	if (!strcmp(option, "nullceph") && !parse_mode(value, cluster))
		return -EINVAL;
	return 0;
}

int rados_conf_get(rados_t cluster, const char *option, char *buffer, size_t len)
{
	const char *value = NULL;

	(void)cluster;
	if (!strcmp(option, "objecter_inflight_ops"))
		value = "1024";
	if (!strcmp(option, "objecter_inflight_op_bytes"))
		value = "104857600";
	if (!value)
		return -ENOENT;
	if (len <= strlen(value))
		return -ENAMETOOLONG;
	strcpy(buffer, value);
	return 0;
}

int rados_connect(rados_t handle)
{
	struct cluster *cluster = handle;
	int error = pthread_create(&cluster->worker, NULL, worker, cluster);

	cluster->connected = !error;
	return -error;
}

void rados_shutdown(rados_t handle)
{
	struct cluster *cluster = handle;

	not_in_callback(cluster, "rados_shutdown");
	if (cluster->connected) {
		pthread_mutex_lock(&cluster->lock);
		cluster->stopping = true;
		pthread_cond_signal(&cluster->changed);
		pthread_mutex_unlock(&cluster->lock);
		pthread_join(cluster->worker, NULL);
	}
	pthread_cond_destroy(&cluster->changed);
	pthread_mutex_destroy(&cluster->lock);
	free(cluster);
}

uint64_t rados_get_instance_id(rados_t cluster)
{
	(void)cluster;
	return 1;
}

/* Pools */

int rados_ioctx_create2(rados_t cluster, int64_t pool, rados_ioctx_t *out)
{
	struct ioctx *ioctx = malloc(sizeof *ioctx);

	if (!ioctx)
		return -ENOMEM;
	ioctx->cluster = cluster;
	ioctx->pool = pool;
	*out = ioctx;
	return 0;
}

int rados_ioctx_create(rados_t cluster, const char *pool, rados_ioctx_t *out)
{
	(void)pool;
	return rados_ioctx_create2(cluster, 1, out);
}

void rados_ioctx_destroy(rados_ioctx_t ioctx)
{
	free(ioctx);
}

int64_t rados_ioctx_get_id(rados_ioctx_t ioctx)
{
	return ((struct ioctx *)ioctx)->pool;
}

int rados_ioctx_get_pool_name(rados_ioctx_t ioctx, char *buffer, unsigned len)
{
	(void)ioctx;
	if (len < sizeof "pool")
		return -ERANGE;
	strcpy(buffer, "pool");
	return strlen("pool");
}

/* Blocking I/O */

int rados_read(rados_ioctx_t ioctx, const char *object, char *buffer, size_t len, uint64_t offset)
{
	(void)ioctx, (void)object, (void)offset;
	memset(buffer, BYTE, len);
	return len;
}

int rados_write(rados_ioctx_t ioctx, const char *object, const char *data, size_t len,
		uint64_t offset)
{
	(void)ioctx, (void)object, (void)data, (void)len, (void)offset;
	return 0;
}

int rados_write_full(rados_ioctx_t ioctx, const char *object, const char *data, size_t len)
{
	return rados_write(ioctx, object, data, len, 0);
}

int rados_stat(rados_ioctx_t ioctx, const char *object, uint64_t *size, time_t *mtime)
{
	(void)ioctx, (void)object;
	*size = SIZE;
	*mtime = 0;
	return 0;
}

int rados_remove(rados_ioctx_t ioctx, const char *object)
{
	(void)ioctx, (void)object;
	return 0;
}

/* Completions */

int rados_aio_create_completion(void *argument, rados_callback_t complete, rados_callback_t safe,
				rados_completion_t *out)
{
	(void)safe;
	return completion_new(argument, complete, out);
}

void rados_aio_release(rados_completion_t completion)
{
	completion_put(completion);
}

int rados_aio_wait_for_complete(rados_completion_t completion)
{
	completion_wait(completion);
	return 0;
}

int rados_aio_is_complete(rados_completion_t completion)
{
	return completion_is_complete(completion);
}

int rados_aio_get_return_value(rados_completion_t completion)
{
	return completion_value(completion);
}

uint64_t rados_aio_get_version(rados_completion_t completion)
{
	(void)completion;
	return 1;
}

int rados_aio_cancel(rados_ioctx_t ioctx, rados_completion_t completion)
{
	return cancel(((struct ioctx *)ioctx)->cluster, completion) ? 0 : -ENOENT;
}

/* Asynchronous I/O */

static int start(rados_ioctx_t ioctx, rados_completion_t completion, struct operation operation)
{
	return submit(((struct ioctx *)ioctx)->cluster, completion, operation);
}

int rados_aio_read(rados_ioctx_t ioctx, const char *object, rados_completion_t completion,
		   char *buffer, size_t len, uint64_t offset)
{
	(void)object, (void)offset;
	return start(ioctx, completion,
		     (struct operation){.run = read_into, .buffer = buffer, .len = len, .value = len});
}

int rados_aio_write(rados_ioctx_t ioctx, const char *object, rados_completion_t completion,
		    const char *data, size_t len, uint64_t offset)
{
	(void)object, (void)data, (void)len, (void)offset;
	return start(ioctx, completion, (struct operation){0});
}

int rados_aio_write_full(rados_ioctx_t ioctx, const char *object, rados_completion_t completion,
			 const char *data, size_t len)
{
	return rados_aio_write(ioctx, object, completion, data, len, 0);
}

int rados_aio_append(rados_ioctx_t ioctx, const char *object, rados_completion_t completion,
		     const char *data, size_t len)
{
	return rados_aio_write(ioctx, object, completion, data, len, 0);
}

int rados_aio_remove(rados_ioctx_t ioctx, const char *object, rados_completion_t completion)
{
	(void)object;
	return start(ioctx, completion, (struct operation){0});
}

static void stat_into(struct operation *operation)
{
	uint64_t size = SIZE;
	time_t mtime = 0;

	memcpy(operation->buffer, &size, sizeof size);
	memcpy(operation->other, &mtime, sizeof mtime);
}

int rados_aio_stat(rados_ioctx_t ioctx, const char *object, rados_completion_t completion,
		   uint64_t *size, time_t *mtime)
{
	(void)object;
	return start(ioctx, completion,
		     (struct operation){.run = stat_into, .buffer = size, .other = mtime});
}

int rados_aio_flush_async(rados_ioctx_t ioctx, rados_completion_t completion)
{
	return start(ioctx, completion, (struct operation){0});
}

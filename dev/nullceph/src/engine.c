/* Completions, and the thread that completes. Each library has its own copy of this. */
#include "nullceph.h"

void nullceph_missing(const char *name)
{
	fprintf(stderr, "nullceph: there is no %s\n", name);
	abort();
}

void not_in_callback(struct cluster *cluster, const char *name)
{
	if (cluster->connected && pthread_equal(pthread_self(), cluster->worker)) {
		fprintf(stderr, "nullceph: %s on the thread that it waits for\n", name);
		abort();
	}
}

bool parse_mode(const char *text, struct cluster *cluster)
{
	char end;

	if (!strcmp(text, "inline"))
		cluster->mode = INLINE;
	else if (!strcmp(text, "thread"))
		cluster->mode = THREAD;
	else if (!strcmp(text, "refuse"))
		cluster->mode = REFUSE;
	else if (sscanf(text, "later:%ld%c", &cluster->delay, &end) == 1)
		cluster->mode = LATER;
	else
		return false;
	return true;
}

int completion_new(void *argument, void (*callback)(void *, void *), void **out)
{
	struct completion *completion = malloc(sizeof *completion);

	if (!completion)
		return -ENOMEM;
	pthread_mutex_init(&completion->lock, NULL);
	pthread_cond_init(&completion->changed, NULL);
	completion->references = 1;
	completion->complete = false;
	completion->value = 0;
	completion->callback = callback;
	completion->argument = argument;
	*out = completion;
	return 0;
}

void completion_put(struct completion *completion)
{
	bool last;

	pthread_mutex_lock(&completion->lock);
	last = --completion->references == 0;
	pthread_mutex_unlock(&completion->lock);
	if (!last)
		return;
	pthread_cond_destroy(&completion->changed);
	pthread_mutex_destroy(&completion->lock);
	free(completion);
}

void completion_wait(struct completion *completion)
{
	pthread_mutex_lock(&completion->lock);
	while (!completion->complete)
		pthread_cond_wait(&completion->changed, &completion->lock);
	pthread_mutex_unlock(&completion->lock);
}

bool completion_is_complete(struct completion *completion)
{
	bool complete;

	pthread_mutex_lock(&completion->lock);
	complete = completion->complete;
	pthread_mutex_unlock(&completion->lock);
	return complete;
}

ssize_t completion_value(struct completion *completion)
{
	ssize_t value;

	pthread_mutex_lock(&completion->lock);
	value = completion->value;
	pthread_mutex_unlock(&completion->lock);
	return value;
}

static void complete(struct completion *completion, ssize_t value)
{
	pthread_mutex_lock(&completion->lock);
	completion->value = value;
	completion->complete = true;
	pthread_cond_broadcast(&completion->changed);
	pthread_mutex_unlock(&completion->lock);
	if (completion->callback)
		completion->callback(completion, completion->argument);
	completion_put(completion);
}

int submit(struct cluster *cluster, struct completion *completion, struct operation operation)
{
	struct operation *queued;

	if (cluster->mode == REFUSE)
		return -EINVAL;
	pthread_mutex_lock(&completion->lock);
	completion->references++;
	pthread_mutex_unlock(&completion->lock);
	if (cluster->mode == INLINE) {
		operation.quick = true;
		if (operation.run)
			operation.run(&operation);
		complete(completion, operation.value);
		return 0;
	}
	queued = malloc(sizeof *queued);
	if (!queued)
		abort();
	*queued = operation;
	queued->completion = completion;
	queued->next = NULL;
	clock_gettime(CLOCK_REALTIME, &queued->due);
	queued->due.tv_nsec += cluster->delay * 1000;
	queued->due.tv_sec += queued->due.tv_nsec / 1000000000;
	queued->due.tv_nsec %= 1000000000;
	pthread_mutex_lock(&cluster->lock);
	*cluster->end = queued;
	cluster->end = &queued->next;
	pthread_cond_signal(&cluster->changed);
	pthread_mutex_unlock(&cluster->lock);
	return 0;
}

bool cancel(struct cluster *cluster, struct completion *completion)
{
	struct operation **at, *found;

	pthread_mutex_lock(&cluster->lock);
	for (at = &cluster->first; *at && (*at)->completion != completion; at = &(*at)->next)
		;
	found = *at;
	if (found) {
		/* It completes now, on the thread that always does that. */
		*at = found->next;
		if (cluster->end == &found->next)
			cluster->end = at;
		found->run = NULL;
		found->value = -ECANCELED;
		found->due.tv_sec = 0;
		found->next = cluster->first;
		if (!cluster->first)
			cluster->end = &found->next;
		cluster->first = found;
		pthread_cond_signal(&cluster->changed);
	}
	pthread_mutex_unlock(&cluster->lock);
	return found;
}

static bool is_due(const struct operation *operation)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec > operation->due.tv_sec ||
	       (now.tv_sec == operation->due.tv_sec && now.tv_nsec >= operation->due.tv_nsec);
}

void *worker(void *argument)
{
	struct cluster *cluster = argument;
	struct operation *operation;

	pthread_mutex_lock(&cluster->lock);
	for (;;) {
		operation = cluster->first;
		if (!operation && cluster->stopping)
			break;
		if (!operation) {
			pthread_cond_wait(&cluster->changed, &cluster->lock);
			continue;
		}
		if (cluster->mode == LATER && !is_due(operation)) {
			pthread_cond_timedwait(&cluster->changed, &cluster->lock, &operation->due);
			continue;
		}
		cluster->first = operation->next;
		if (!cluster->first)
			cluster->end = &cluster->first;
		pthread_mutex_unlock(&cluster->lock);
		if (operation->run)
			operation->run(operation);
		complete(operation->completion, operation->value);
		free(operation);
		pthread_mutex_lock(&cluster->lock);
	}
	pthread_mutex_unlock(&cluster->lock);
	return NULL;
}

void read_into(struct operation *operation)
{
	char *buffer = operation->buffer;

	if (operation->quick) {
		memset(buffer, BYTE, 1);
		memset(buffer + operation->len - 1, BYTE, 1);
	} else {
		memset(buffer, BYTE, operation->len);
	}
}

/* As a library does that does not copy the data when the operation starts. */
void write_from(struct operation *operation)
{
	void *copy;

	if (operation->quick)
		return;
	copy = malloc(operation->len);
	if (!copy)
		abort();
	memcpy(copy, operation->buffer, operation->len);
	free(copy);
}

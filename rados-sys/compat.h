/* Types of librados that some header lacks, for the functions that need them. The build defines
 * HAVE_<name> for each type that the installed header has; that one is used then. */

#ifndef HAVE_notify_ack_t
struct notify_ack_t {
  uint64_t notifier_id;
  uint64_t cookie;
  char *payload;
  uint64_t payload_len;
};
#endif

#ifndef HAVE_notify_timeout_t
struct notify_timeout_t {
  uint64_t notifier_id;
  uint64_t cookie;
};
#endif

#ifndef HAVE_rados_checksum_type_t
typedef unsigned int rados_checksum_type_t;
#endif

#ifndef HAVE_rados_object_list_cursor
typedef void *rados_object_list_cursor;
#endif

#ifndef HAVE_rados_object_list_item
typedef struct rados_object_list_item {
  size_t oid_length;
  char *oid;
  size_t nspace_length;
  char *nspace;
  size_t locator_length;
  char *locator;
} rados_object_list_item;
#endif

/* Types of librbd that some header lacks, for the functions that need them. The build defines
 * HAVE_<name> for each type that the installed header has; that one is used then. Enums are integers
 * here: their values are constants in Rust. */

#ifndef HAVE_rbd_pool_stats_t
typedef void *rbd_pool_stats_t;
#endif

#ifndef HAVE_rbd_encryption_options_t
typedef void *rbd_encryption_options_t;
#endif

#ifndef HAVE_rbd_update_callback_t
typedef void (*rbd_update_callback_t)(void *arg);
#endif

#ifndef HAVE_rbd_snap_namespace_type_t
typedef unsigned int rbd_snap_namespace_type_t;
#endif

#ifndef HAVE_rbd_mirror_mode_t
typedef unsigned int rbd_mirror_mode_t;
#endif

#ifndef HAVE_rbd_mirror_peer_direction_t
typedef unsigned int rbd_mirror_peer_direction_t;
#endif

#ifndef HAVE_rbd_mirror_image_mode_t
typedef unsigned int rbd_mirror_image_mode_t;
#endif

#ifndef HAVE_rbd_mirror_image_state_t
typedef unsigned int rbd_mirror_image_state_t;
#endif

#ifndef HAVE_rbd_mirror_image_status_state_t
typedef unsigned int rbd_mirror_image_status_state_t;
#endif

#ifndef HAVE_rbd_group_image_state_t
typedef unsigned int rbd_group_image_state_t;
#endif

#ifndef HAVE_rbd_group_snap_state_t
typedef unsigned int rbd_group_snap_state_t;
#endif

#ifndef HAVE_rbd_group_snap_namespace_type_t
typedef unsigned int rbd_group_snap_namespace_type_t;
#endif

#ifndef HAVE_rbd_snap_mirror_state_t
typedef unsigned int rbd_snap_mirror_state_t;
#endif

#ifndef HAVE_rbd_trash_image_source_t
typedef unsigned int rbd_trash_image_source_t;
#endif

#ifndef HAVE_rbd_config_source_t
typedef unsigned int rbd_config_source_t;
#endif

#ifndef HAVE_rbd_encryption_format_t
typedef unsigned int rbd_encryption_format_t;
#endif

#ifndef HAVE_rbd_encryption_algorithm_t
typedef unsigned int rbd_encryption_algorithm_t;
#endif

#ifndef HAVE_rbd_image_migration_state_t
typedef int rbd_image_migration_state_t;
#endif

#ifndef HAVE_rbd_image_spec_t
typedef struct {
  char *id;
  char *name;
} rbd_image_spec_t;
#endif

#ifndef HAVE_rbd_linked_image_spec_t
typedef struct {
  int64_t pool_id;
  char *pool_name;
  char *pool_namespace;
  char *image_id;
  char *image_name;
  bool trash;
} rbd_linked_image_spec_t;
#endif

#ifndef HAVE_rbd_snap_spec_t
typedef struct {
  uint64_t id;
  rbd_snap_namespace_type_t namespace_type;
  char *name;
} rbd_snap_spec_t;
#endif

#ifndef HAVE_rbd_group_info_t
typedef struct {
  char *name;
  int64_t pool;
} rbd_group_info_t;
#endif

#ifndef HAVE_rbd_group_image_info_t
typedef struct {
  char *name;
  int64_t pool;
  rbd_group_image_state_t state;
} rbd_group_image_info_t;
#endif

#ifndef HAVE_rbd_group_snap_info_t
typedef struct {
  char *name;
  rbd_group_snap_state_t state;
} rbd_group_snap_info_t;
#endif

#ifndef HAVE_rbd_group_image_snap_info_t
typedef struct {
  char *image_name;
  int64_t pool_id;
  uint64_t snap_id;
} rbd_group_image_snap_info_t;
#endif

#ifndef HAVE_rbd_group_snap_info2_t
typedef struct {
  char *id;
  char *name;
  char *image_snap_name;
  rbd_group_snap_state_t state;
  rbd_group_snap_namespace_type_t namespace_type;
  size_t image_snaps_count;
  rbd_group_image_snap_info_t *image_snaps;
} rbd_group_snap_info2_t;
#endif

#ifndef HAVE_rbd_snap_group_namespace_t
typedef struct {
  int64_t group_pool;
  char *group_name;
  char *group_snap_name;
} rbd_snap_group_namespace_t;
#endif

#ifndef HAVE_rbd_snap_mirror_namespace_t
typedef struct {
  rbd_snap_mirror_state_t state;
  size_t mirror_peer_uuids_count;
  char *mirror_peer_uuids;
  bool complete;
  char *primary_mirror_uuid;
  uint64_t primary_snap_id;
  uint64_t last_copied_object_number;
} rbd_snap_mirror_namespace_t;
#endif

#ifndef HAVE_rbd_snap_trash_namespace_t
typedef struct {
  rbd_snap_namespace_type_t original_namespace_type;
  char *original_name;
} rbd_snap_trash_namespace_t;
#endif

#ifndef HAVE_rbd_trash_image_info_t
typedef struct {
  char *id;
  char *name;
  rbd_trash_image_source_t source;
  time_t deletion_time;
  time_t deferment_end_time;
} rbd_trash_image_info_t;
#endif

#ifndef HAVE_rbd_image_watcher_t
typedef struct {
  char *addr;
  int64_t id;
  uint64_t cookie;
} rbd_image_watcher_t;
#endif

#ifndef HAVE_rbd_image_migration_status_t
typedef struct {
  int64_t source_pool_id;
  char *source_pool_namespace;
  char *source_image_name;
  char *source_image_id;
  int64_t dest_pool_id;
  char *dest_pool_namespace;
  char *dest_image_name;
  char *dest_image_id;
  rbd_image_migration_state_t state;
  char *state_description;
} rbd_image_migration_status_t;
#endif

#ifndef HAVE_rbd_config_option_t
typedef struct {
  char *name;
  char *value;
  rbd_config_source_t source;
} rbd_config_option_t;
#endif

#ifndef HAVE_rbd_mirror_image_info_t
typedef struct {
  char *global_id;
  rbd_mirror_image_state_t state;
  bool primary;
} rbd_mirror_image_info_t;
#endif

#ifndef HAVE_rbd_mirror_image_site_status_t
typedef struct {
  char *mirror_uuid;
  rbd_mirror_image_status_state_t state;
  char *description;
  time_t last_update;
  bool up;
} rbd_mirror_image_site_status_t;
#endif

#ifndef HAVE_rbd_mirror_image_global_status_t
typedef struct {
  char *name;
  rbd_mirror_image_info_t info;
  uint32_t site_statuses_count;
  rbd_mirror_image_site_status_t *site_statuses;
} rbd_mirror_image_global_status_t;
#endif

#ifndef HAVE_rbd_mirror_peer_site_t
typedef struct {
  char *uuid;
  rbd_mirror_peer_direction_t direction;
  char *site_name;
  char *mirror_uuid;
  char *client_name;
  time_t last_seen;
} rbd_mirror_peer_site_t;
#endif

#ifndef HAVE_rbd_encryption_luks1_format_options_t
typedef struct {
  rbd_encryption_algorithm_t alg;
  const char *passphrase;
  size_t passphrase_size;
} rbd_encryption_luks1_format_options_t;
#endif

#ifndef HAVE_rbd_encryption_luks2_format_options_t
typedef struct {
  rbd_encryption_algorithm_t alg;
  const char *passphrase;
  size_t passphrase_size;
} rbd_encryption_luks2_format_options_t;
#endif

#ifndef HAVE_rbd_encryption_luks_format_options_t
typedef struct {
  const char *passphrase;
  size_t passphrase_size;
} rbd_encryption_luks_format_options_t;
#endif

#ifndef HAVE_rbd_encryption_spec_t
typedef struct {
  rbd_encryption_format_t format;
  rbd_encryption_options_t opts;
  size_t opts_size;
} rbd_encryption_spec_t;
#endif

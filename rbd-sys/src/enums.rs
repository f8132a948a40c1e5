//! The enums of librbd's header, and constants for their values. The types listed here replace those
//! of the header.

use core::ffi::{c_int, c_uint};

rados_sys::enums! {
    /// What a snapshot was made by (`rbd_snap_get_namespace_type`).
    rbd_snap_namespace_type_t: c_uint {
        /// A user.
        RBD_SNAP_NAMESPACE_TYPE_USER = 0,
        /// A snapshot of the image's group.
        RBD_SNAP_NAMESPACE_TYPE_GROUP = 1,
        /// Removed by a user, kept for its clones.
        RBD_SNAP_NAMESPACE_TYPE_TRASH = 2,
        /// Mirroring.
        RBD_SNAP_NAMESPACE_TYPE_MIRROR = 3,
    }

    /// Which images of a pool are mirrored (`rbd_mirror_mode_get`).
    rbd_mirror_mode_t: c_uint {
        /// None.
        RBD_MIRROR_MODE_DISABLED = 0,
        /// Those that it is enabled for.
        RBD_MIRROR_MODE_IMAGE = 1,
        /// All with a journal.
        RBD_MIRROR_MODE_POOL = 2,
        /// None, but a remote namespace may be set.
        RBD_MIRROR_MODE_INIT_ONLY = 3,
    }

    /// Which way a mirroring peer is replicated.
    rbd_mirror_peer_direction_t: c_uint {
        /// From the peer.
        RBD_MIRROR_PEER_DIRECTION_RX = 0,
        /// To the peer.
        RBD_MIRROR_PEER_DIRECTION_TX = 1,
        /// Both ways.
        RBD_MIRROR_PEER_DIRECTION_RX_TX = 2,
    }

    /// How an image is mirrored.
    rbd_mirror_image_mode_t: c_uint {
        /// By its journal.
        RBD_MIRROR_IMAGE_MODE_JOURNAL = 0,
        /// By snapshots.
        RBD_MIRROR_IMAGE_MODE_SNAPSHOT = 1,
    }

    /// Whether an image is mirrored.
    rbd_mirror_image_state_t: c_uint {
        /// Not for much longer.
        RBD_MIRROR_IMAGE_DISABLING = 0,
        /// Yes.
        RBD_MIRROR_IMAGE_ENABLED = 1,
        /// No.
        RBD_MIRROR_IMAGE_DISABLED = 2,
        /// The copy is being made.
        RBD_MIRROR_IMAGE_CREATING = 3,
    }

    /// What a site says on an image that it mirrors.
    rbd_mirror_image_status_state_t: c_uint {
        /// Nothing.
        MIRROR_IMAGE_STATUS_STATE_UNKNOWN = 0,
        /// Mirroring failed.
        MIRROR_IMAGE_STATUS_STATE_ERROR = 1,
        /// The image is copied as a whole.
        MIRROR_IMAGE_STATUS_STATE_SYNCING = 2,
        /// Replay is about to begin.
        MIRROR_IMAGE_STATUS_STATE_STARTING_REPLAY = 3,
        /// Changes are replayed.
        MIRROR_IMAGE_STATUS_STATE_REPLAYING = 4,
        /// Replay is about to end.
        MIRROR_IMAGE_STATUS_STATE_STOPPING_REPLAY = 5,
        /// Nothing is replayed, as on the primary site.
        MIRROR_IMAGE_STATUS_STATE_STOPPED = 6,
    }

    /// Whether an image is wholly part of a group.
    rbd_group_image_state_t: c_uint {
        /// Yes.
        RBD_GROUP_IMAGE_STATE_ATTACHED = 0,
        /// It was being added or removed.
        RBD_GROUP_IMAGE_STATE_INCOMPLETE = 1,
    }

    /// Whether a group snapshot has all its image snapshots.
    rbd_group_snap_state_t: c_uint {
        /// No.
        RBD_GROUP_SNAP_STATE_INCOMPLETE = 0,
        /// Yes.
        RBD_GROUP_SNAP_STATE_COMPLETE = 1,
    }

    /// What a group snapshot was made by.
    rbd_group_snap_namespace_type_t: c_uint {
        /// A user.
        RBD_GROUP_SNAP_NAMESPACE_TYPE_USER = 0,
    }

    /// Whether a mirror snapshot belongs to the primary image.
    rbd_snap_mirror_state_t: c_uint {
        /// Yes.
        RBD_SNAP_MIRROR_STATE_PRIMARY = 0,
        /// It did until the image was demoted.
        RBD_SNAP_MIRROR_STATE_PRIMARY_DEMOTED = 1,
        /// No.
        RBD_SNAP_MIRROR_STATE_NON_PRIMARY = 2,
        /// No, and it was made by a demotion.
        RBD_SNAP_MIRROR_STATE_NON_PRIMARY_DEMOTED = 3,
    }

    /// How an image is locked (`rbd_lock_acquire`).
    rbd_lock_mode_t: c_uint {
        /// By one client, which does not hand the lock over unasked.
        RBD_LOCK_MODE_EXCLUSIVE = 0,
        /// By several clients.
        RBD_LOCK_MODE_SHARED = 1,
        /// By one client, which hands the lock over to others that ask.
        RBD_LOCK_MODE_EXCLUSIVE_TRANSIENT = 2,
    }

    /// What put an image in the trash.
    rbd_trash_image_source_t: c_uint {
        /// A user.
        RBD_TRASH_IMAGE_SOURCE_USER = 0,
        /// Mirroring.
        RBD_TRASH_IMAGE_SOURCE_MIRRORING = 1,
        /// A migration.
        RBD_TRASH_IMAGE_SOURCE_MIGRATION = 2,
        /// A removal that is going on.
        RBD_TRASH_IMAGE_SOURCE_REMOVING = 3,
        /// A user, with the image being parent of clones.
        RBD_TRASH_IMAGE_SOURCE_USER_PARENT = 4,
    }

    /// How far a migration is.
    rbd_image_migration_state_t: c_int {
        /// Unknown.
        RBD_IMAGE_MIGRATION_STATE_UNKNOWN = -1,
        /// It failed.
        RBD_IMAGE_MIGRATION_STATE_ERROR = 0,
        /// It is being prepared.
        RBD_IMAGE_MIGRATION_STATE_PREPARING = 1,
        /// It is prepared.
        RBD_IMAGE_MIGRATION_STATE_PREPARED = 2,
        /// Data is being copied.
        RBD_IMAGE_MIGRATION_STATE_EXECUTING = 3,
        /// All data is copied, it can be committed.
        RBD_IMAGE_MIGRATION_STATE_EXECUTED = 4,
        /// It is being aborted.
        RBD_IMAGE_MIGRATION_STATE_ABORTING = 5,
    }

    /// Where the value of a configuration option comes from.
    rbd_config_source_t: c_uint {
        /// The client's or the cluster's configuration.
        RBD_CONFIG_SOURCE_CONFIG = 0,
        /// The pool.
        RBD_CONFIG_SOURCE_POOL = 1,
        /// The image.
        RBD_CONFIG_SOURCE_IMAGE = 2,
    }

    /// A number that `rbd_pool_stats_get` computes.
    rbd_pool_stat_option_t: c_uint {
        /// Images.
        RBD_POOL_STAT_OPTION_IMAGES = 0,
        /// Bytes that the images have as they are now.
        RBD_POOL_STAT_OPTION_IMAGE_PROVISIONED_BYTES = 1,
        /// Bytes that the images have where they are largest, snapshots included.
        RBD_POOL_STAT_OPTION_IMAGE_MAX_PROVISIONED_BYTES = 2,
        /// Snapshots of the images.
        RBD_POOL_STAT_OPTION_IMAGE_SNAPSHOTS = 3,
        /// Images in the trash.
        RBD_POOL_STAT_OPTION_TRASH_IMAGES = 4,
        /// Bytes that the images in the trash have as they are now.
        RBD_POOL_STAT_OPTION_TRASH_PROVISIONED_BYTES = 5,
        /// Bytes that the images in the trash have where they are largest, snapshots included.
        RBD_POOL_STAT_OPTION_TRASH_MAX_PROVISIONED_BYTES = 6,
        /// Snapshots of the images in the trash.
        RBD_POOL_STAT_OPTION_TRASH_SNAPSHOTS = 7,
    }

    /// The format of an encrypted image.
    rbd_encryption_format_t: c_uint {
        /// LUKS version 1.
        RBD_ENCRYPTION_FORMAT_LUKS1 = 0,
        /// LUKS version 2.
        RBD_ENCRYPTION_FORMAT_LUKS2 = 1,
        /// Either, as found; for loading only.
        RBD_ENCRYPTION_FORMAT_LUKS = 2,
    }

    /// The cipher of an encrypted image.
    rbd_encryption_algorithm_t: c_uint {
        /// AES with keys of 128 bits.
        RBD_ENCRYPTION_ALGORITHM_AES128 = 0,
        /// AES with keys of 256 bits.
        RBD_ENCRYPTION_ALGORITHM_AES256 = 1,
    }
}

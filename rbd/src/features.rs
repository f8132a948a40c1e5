//! What an image can do.

use std::fmt;
use std::str::FromStr;

use rados::{Error, Result};

use crate::ffi;
use crate::image::Image;
use ceph_core::check;

bitflags::bitflags! {
    /// The features of an image. Bits that have no name here survive.
    ///
    /// `Display` and `FromStr` use the names of `rbd feature`, separated by commas:
    ///
    /// ```
    /// use rbd::Features;
    ///
    /// let features: Features = "layering,exclusive-lock".parse()?;
    /// assert_eq!(features, Features::LAYERING | Features::EXCLUSIVE_LOCK);
    /// assert_eq!(features.to_string(), "layering,exclusive-lock");
    /// assert_eq!("".parse::<Features>()?, Features::empty());
    /// # Ok::<(), rbd::Error>(())
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Features: u64 {
        /// The image can be a clone.
        const LAYERING = ffi::RBD_FEATURE_LAYERING;
        /// Data is striped over several objects.
        const STRIPING = ffi::RBD_FEATURE_STRIPINGV2;
        /// One client at a time writes.
        const EXCLUSIVE_LOCK = ffi::RBD_FEATURE_EXCLUSIVE_LOCK;
        /// A map says which objects exist. Needs `EXCLUSIVE_LOCK`.
        const OBJECT_MAP = ffi::RBD_FEATURE_OBJECT_MAP;
        /// Differences between snapshots are read from the object map. Needs `OBJECT_MAP`.
        const FAST_DIFF = ffi::RBD_FEATURE_FAST_DIFF;
        /// Flattening a clone flattens its snapshots too. Can be disabled, not enabled.
        const DEEP_FLATTEN = ffi::RBD_FEATURE_DEEP_FLATTEN;
        /// Writes are journaled. Needs `EXCLUSIVE_LOCK`, and the feature `journaling`: without that,
        /// images that have it are still shown as such.
        #[cfg(feature = "journaling")]
        const JOURNALING = ffi::RBD_FEATURE_JOURNALING;
        /// Data is in another pool than the metadata.
        const DATA_POOL = ffi::RBD_FEATURE_DATA_POOL;
        /// Set by the library: the image has [operation features](OpFeatures).
        const OPERATIONS = ffi::RBD_FEATURE_OPERATIONS;
        /// Set by the library: the image is being migrated.
        const MIGRATING = ffi::RBD_FEATURE_MIGRATING;
        /// The image is a mirrored copy, which only mirroring writes to.
        const NON_PRIMARY = ffi::RBD_FEATURE_NON_PRIMARY;
        /// Set by the library: a client's persistent cache has data that the cluster has not.
        const DIRTY_CACHE = ffi::RBD_FEATURE_DIRTY_CACHE;
        const _ = !0;
    }

    /// Features that the library sets by itself when an image takes part in something.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct OpFeatures: u64 {
        /// The image has clones of version 2.
        const CLONE_PARENT = ffi::RBD_OPERATION_FEATURE_CLONE_PARENT;
        /// The image is a clone of version 2.
        const CLONE_CHILD = ffi::RBD_OPERATION_FEATURE_CLONE_CHILD;
        /// The image is in a group.
        const GROUP = ffi::RBD_OPERATION_FEATURE_GROUP;
        /// The image has snapshots in the trash.
        const SNAP_TRASH = ffi::RBD_OPERATION_FEATURE_SNAP_TRASH;
        const _ = !0;
    }

    /// What is wrong with an image's maps.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ImageFlags: u64 {
        /// The object map is out of date.
        const OBJECT_MAP_INVALID = ffi::RBD_FLAG_OBJECT_MAP_INVALID;
        /// Fast differences are out of date.
        const FAST_DIFF_INVALID = ffi::RBD_FLAG_FAST_DIFF_INVALID;
        const _ = !0;
    }
}

/// `Features::JOURNALING`, which is not always there.
const JOURNALING: Features = Features::from_bits_retain(ffi::RBD_FEATURE_JOURNALING);

/// The names that the `rbd` command prints.
const FEATURE_NAMES: &[(Features, &str)] = &[
    (Features::LAYERING, "layering"),
    (Features::STRIPING, "striping"),
    (Features::EXCLUSIVE_LOCK, "exclusive-lock"),
    (Features::OBJECT_MAP, "object-map"),
    (Features::FAST_DIFF, "fast-diff"),
    (Features::DEEP_FLATTEN, "deep-flatten"),
    (JOURNALING, "journaling"),
    (Features::DATA_POOL, "data-pool"),
    (Features::OPERATIONS, "operations"),
    (Features::MIGRATING, "migrating"),
    (Features::NON_PRIMARY, "non-primary"),
    (Features::DIRTY_CACHE, "dirty-cache"),
];

/// What each feature needs.
const NEEDS: &[(Features, Features)] = &[
    (Features::OBJECT_MAP, Features::EXCLUSIVE_LOCK),
    (Features::FAST_DIFF, Features::OBJECT_MAP),
    (JOURNALING, Features::EXCLUSIVE_LOCK),
];

impl Features {
    /// The features that can be enabled on an existing image.
    pub const MUTABLE: Self = Self::EXCLUSIVE_LOCK
        .union(Self::OBJECT_MAP)
        .union(Self::FAST_DIFF)
        .union(JOURNALING);

    /// The single features in the set that have a name, with it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FEATURE_NAMES
            .iter()
            .filter(move |(f, _)| self.contains(*f))
            .map(|&(_, name)| name)
    }

    /// Refuses a set with a feature that needs another which is not in it.
    pub(crate) fn check_complete(self, op: &'static str) -> Result<()> {
        for &(feature, needed) in NEEDS {
            if self.contains(feature) && !self.contains(needed) {
                let hint = format!("{feature} needs {needed}, which is neither on nor asked for");
                return Err(Error::refused(op, libc::EINVAL, hint));
            }
        }
        Ok(())
    }
}

impl OpFeatures {
    /// The single features in the set that have a name, as the `rbd` command prints it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::CLONE_PARENT, "clone-parent"),
            (Self::CLONE_CHILD, "clone-child"),
            (Self::GROUP, "group"),
            (Self::SNAP_TRASH, "snap-trash"),
        ]
        .into_iter()
        .filter(move |(f, _)| self.contains(*f))
        .map(|(_, name)| name)
    }
}

impl ImageFlags {
    /// The single flags in the set that have a name, as the `rbd` command prints it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::OBJECT_MAP_INVALID, "object map invalid"),
            (Self::FAST_DIFF_INVALID, "fast diff invalid"),
        ]
        .into_iter()
        .filter(move |(f, _)| self.contains(*f))
        .map(|(_, name)| name)
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.names().map(str::to_owned).collect();
        let named = FEATURE_NAMES
            .iter()
            .fold(Self::empty(), |set, (f, _)| set | *f);
        let rest = self.difference(named);
        if !rest.is_empty() {
            names.push(format!("{:#x}", rest.bits()));
        }
        f.write_str(&names.join(","))
    }
}

impl FromStr for Features {
    type Err = Error;

    /// Reads names separated by commas; the empty string is the empty set.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is no feature's; `Unsupported` for `journaling` without the
    /// Cargo feature of that name.
    fn from_str(names: &str) -> Result<Self> {
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names
            .map(feature_named)
            .try_fold(Self::empty(), |set, feature| Ok(set | feature?))
    }
}

fn feature_named(name: &str) -> Result<Features> {
    if cfg!(not(feature = "journaling")) && name == "journaling" {
        let hint = "this program was built without the feature \"journaling\"";
        return Err(Error::refused(
            "rbd_features_from_string",
            libc::ENOSYS,
            hint,
        ));
    }
    FEATURE_NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map(|&(f, _)| f)
        .ok_or_else(|| {
            let known: Vec<_> = FEATURE_NAMES.iter().map(|&(_, name)| name).collect();
            let hint = format!("{name:?} is none of the features {}", known.join(", "));
            Error::refused("rbd_features_from_string", libc::EINVAL, hint)
        })
}

impl Image {
    /// The image's features.
    #[doc(alias = "rbd_get_features")]
    pub fn features(&self) -> Result<Features> {
        let mut features = 0;
        self.call("rbd_get_features", |raw| {
            // SAFETY: as `call` promises; the output is this function's.
            unsafe { ffi::rbd_get_features(raw, &raw mut features) }
        })?;
        Ok(Features::from_bits_retain(features))
    }

    /// Enables features; those that are on already stay so. Blocks.
    ///
    /// librbd enables `OBJECT_MAP` and `FAST_DIFF` together, whichever is asked for. On an image that
    /// had them not, they are [invalid](Self::flags), and not used, until they are rebuilt.
    ///
    /// # Errors
    /// `InvalidArgument`, before anything has changed, for a feature that needs another which is
    /// neither on nor among `features` (the error names both), and for one that can only be chosen
    /// when the image is created; `ReadOnly`.
    #[doc(alias = "rbd_update_features")]
    pub fn enable_features(&self, features: Features) -> Result<()> {
        const OP: &str = "rbd_update_features";
        let on = self.features()?;
        let wanted = features.difference(on);
        let fixed = wanted.difference(Features::MUTABLE);
        if !fixed.is_empty() {
            let hint = format!("{fixed} can only be chosen when the image is created");
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
        }
        on.union(wanted)
            .check_complete(OP)
            .map_err(|error| error.on(self.subject()))?;
        self.update_features(wanted, 1)
    }

    /// Disables features; those that are off already stay so. Blocks.
    ///
    /// librbd disables `OBJECT_MAP` and `FAST_DIFF` together. An old kernel's `rbd map` wants
    /// `layering` alone: disable the rest, in one call.
    ///
    /// # Errors
    /// `InvalidArgument`, before anything has changed, for a feature that another needs which is on
    /// and not among `features` (the error names both), and for one that cannot be disabled;
    /// `ReadOnly`.
    #[doc(alias = "rbd_update_features")]
    pub fn disable_features(&self, features: Features) -> Result<()> {
        const OP: &str = "rbd_update_features";
        let on = self.features()?;
        let unwanted = features.intersection(on);
        let fixed = unwanted.difference(Features::MUTABLE | Features::DEEP_FLATTEN);
        if !fixed.is_empty() {
            let hint = format!("{fixed} cannot be disabled");
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
        }
        let left = on.difference(unwanted);
        for &(feature, needed) in NEEDS {
            if unwanted.contains(needed) && left.contains(feature) {
                let hint = format!("{feature}, which is on, needs {needed}: disable both");
                return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
            }
        }
        self.update_features(unwanted, 0)
    }

    fn update_features(&self, features: Features, enabled: u8) -> Result<()> {
        const OP: &str = "rbd_update_features";
        if features.is_empty() {
            return Ok(());
        }
        // SAFETY: the handle is open.
        let code = unsafe { ffi::rbd_update_features(self.raw(OP)?, features.bits(), enabled) };
        check(OP, code)
            .map(drop)
            .map_err(|error| error.on(format!("{} {features}", self.subject())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_bit_has_a_printed_name() {
        for (name, feature) in Features::all().iter_names() {
            assert_eq!(feature.names().count(), 1, "{name}");
            assert_eq!(feature.to_string().parse::<Features>().unwrap(), feature);
        }
    }

    #[test]
    fn unknown_bits_survive_and_unknown_names_do_not() {
        let odd = Features::from_bits_retain(1 << 40 | 1);
        assert_eq!(odd.to_string(), "layering,0x10000000000");
        let error = "layering,flying"
            .parse::<Features>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"flying\"") && error.contains("exclusive-lock"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_dependency_is_named() {
        let error = Features::FAST_DIFF
            .check_complete("f")
            .unwrap_err()
            .to_string();
        assert!(error.contains("fast-diff needs object-map"), "{error}");
        Features::MUTABLE.check_complete("f").unwrap();
    }
}

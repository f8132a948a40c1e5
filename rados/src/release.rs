//! Which releases a cluster goes with.

use std::fmt;

use ceph_core::{Result, check};

use crate::{Conn, ffi};

/// A release of Ceph, by the number that its versions begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub u8);

/// The releases of the clients that a cluster goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompatibleClients {
    /// The oldest that understands what the osdmap uses now; `None` while that is unknown.
    pub needed: Option<Release>,
    /// The oldest that the administrator lets in (`ceph osd set-require-min-compat-client`); `None` for no
    /// such limit.
    pub required: Option<Release>,
}

impl Release {
    /// The name, such as `"pacific"` for 16; `None` for releases that this crate does not know.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "argonaut",
            2 => "bobtail",
            3 => "cuttlefish",
            4 => "dumpling",
            5 => "emperor",
            6 => "firefly",
            7 => "giant",
            8 => "hammer",
            9 => "infernalis",
            10 => "jewel",
            11 => "kraken",
            12 => "luminous",
            13 => "mimic",
            14 => "nautilus",
            15 => "octopus",
            16 => "pacific",
            17 => "quincy",
            18 => "reef",
            19 => "squid",
            20 => "tentacle",
            _ => return None,
        })
    }

    /// C says 0 or -1 for none.
    fn from_c(number: i8) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|&number| number != 0)
            .map(Self)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "release {}", self.0),
        }
    }
}

impl Conn {
    /// The oldest clients that the cluster goes with, by this client's osdmap. Needs the feature
    /// `cluster-info`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it.
    #[doc(alias = "rados_get_min_compatible_client")]
    pub fn compatible_clients(&self) -> Result<CompatibleClients> {
        const OP: &str = "rados_get_min_compatible_client";
        let get = ffi::optional(&ffi::rados_get_min_compatible_client)?;
        let raw = self.raw_blocking(OP)?;
        let (mut needed, mut required) = (0, 0);
        // SAFETY: `raw` is connected, and the outputs are this function's.
        check(OP, unsafe { get(raw, &raw mut needed, &raw mut required) })?;
        Ok(CompatibleClients {
            needed: Release::from_c(needed),
            required: Release::from_c(required),
        })
    }

    /// The release that all OSDs must have at least (`ceph osd require-osd-release`), by this client's osdmap;
    /// `None` for no such limit. Needs the feature `cluster-info`.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks it.
    #[doc(alias = "rados_get_min_compatible_osd")]
    pub fn required_osd_release(&self) -> Result<Option<Release>> {
        const OP: &str = "rados_get_min_compatible_osd";
        let get = ffi::optional(&ffi::rados_get_min_compatible_osd)?;
        let raw = self.raw_blocking(OP)?;
        let mut required = 0;
        // SAFETY: `raw` is connected, and the output is this function's.
        check(OP, unsafe { get(raw, &raw mut required) })?;
        Ok(Release::from_c(required))
    }
}

//! The releases that everything is tried on.

use clap::ValueEnum;

/// A Debian release, and with it one of Ceph and one of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Release {
    /// Debian 11, Ceph 14
    Bullseye,
    /// Debian 12, Ceph 16
    Bookworm,
    /// Debian 13, Ceph 18
    Trixie,
    /// Debian unstable, Ceph 20
    Sid,
}

impl Release {
    /// All, the oldest first.
    pub const ALL: [Self; 4] = [Self::Bullseye, Self::Bookworm, Self::Trixie, Self::Sid];

    /// What Debian's archive calls it.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// What people call it.
    pub fn system(self) -> &'static str {
        match self {
            Self::Bullseye => "Debian 11",
            Self::Bookworm => "Debian 12",
            Self::Trixie => "Debian 13",
            Self::Sid => "Debian sid",
        }
    }
}

//! Placement groups in which scrubbing has found copies that differ.

use std::fmt;
use std::str::FromStr;

use ceph_core::cstr::text;
use ceph_core::{Error, Result, grow};
use serde::Deserialize;

use crate::conn::c_buffer;
use crate::{Command, Conn, ffi};

/// A placement group, such as `2.1f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgId {
    /// The pool's id.
    pub pool: i64,
    /// Which of the pool's placement groups, shown in hexadecimal.
    pub seed: u32,
}

impl fmt::Display for PgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.pool, self.seed)
    }
}

impl FromStr for PgId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = || {
            let (pool, seed) = text.split_once('.')?;
            let (pool, seed) = (pool.parse().ok()?, u32::from_str_radix(seed, 16).ok()?);
            Some(Self { pool, seed })
        };
        parsed().ok_or_else(|| {
            let hint = format!("{text:?} is no placement group such as \"2.1f\"");
            Error::refused("pg_t", libc::EINVAL, hint)
        })
    }
}

impl Conn {
    /// The pool's placement groups in which scrubbing has found copies that differ from each other or from
    /// what they should be. Blocks; asks the manager. Needs the feature `cluster-info`.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool; `Unsupported` where the library lacks it.
    #[doc(alias = "rados_inconsistent_pg_list")]
    pub fn inconsistent_pgs(&self, pool: i64) -> Result<Vec<PgId>> {
        const OP: &str = "rados_inconsistent_pg_list";
        let list = ffi::optional(&ffi::rados_inconsistent_pg_list)?;
        let raw = self.raw_blocking(OP)?;
        if self.limits_managers()? {
            return self.inconsistent_pgs_by_monitors(pool);
        }
        let names = grow::needed(OP, |buffer| {
            // SAFETY: `raw` is connected, and C writes at most the buffer's length.
            unsafe { list(raw, pool, c_buffer(buffer), buffer.len()) }
        })
        .map_err(|error| error.on(format!("pool id {pool}")))?;
        let names = names.split(|&byte| byte == 0);
        names
            .filter(|name| !name.is_empty())
            .map(|name| text(name).parse())
            .collect()
    }

    /// The same by way of the monitors: as to why, see [`mgr_command`](Self::mgr_command).
    fn inconsistent_pgs_by_monitors(&self, pool: i64) -> Result<Vec<PgId>> {
        let command = Command::new("pg ls")
            .arg("pool", pool)
            .arg("states", vec!["inconsistent"])
            .format_json();
        let listing = self
            .mon_command(&command, b"")
            .and_then(|output| output.json());
        let listing: Listing = listing.map_err(|error| error.on(format!("pool id {pool}")))?;
        let pgs = listing.pg_stats.iter();
        pgs.map(|pg| pg.pgid.parse()).collect()
    }
}

/// What `pg ls` answers; nothing of groups when there are none.
#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    pg_stats: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    pgid: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_shown() {
        let id: PgId = "2.1f".parse().unwrap();
        assert_eq!((id.pool, id.seed), (2, 0x1f));
        assert_eq!(id.to_string(), "2.1f");
        for text in ["", "2", "2.", "x.1", "2.g"] {
            assert!(text.parse::<PgId>().is_err(), "{text}");
        }
    }
}

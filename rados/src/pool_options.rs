//! Pools that are not as the cluster makes them by default, and their settings.

use std::num::NonZeroU32;

use ceph_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::Conn;

/// What a new pool is to be; the cluster decides what is not said. For [`Conn::pool_create_with`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct PoolOptions {
    pg_num: Option<NonZeroU32>,
    pgp_num: Option<NonZeroU32>,
    kind: PoolKind,
    crush_rule: Option<String>,
    expected_objects: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum PoolKind {
    #[default]
    Unsaid,
    Replicated {
        size: Option<NonZeroU32>,
    },
    Erasure {
        profile: Option<String>,
    },
}

impl PoolOptions {
    /// Nothing said.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of placement groups, a power of two for an even spread.
    pub fn pg_num(mut self, number: NonZeroU32) -> Self {
        self.pg_num = Some(number);
        self
    }

    /// The number of placement groups for placement, which otherwise is that of
    /// [`pg_num`](Self::pg_num).
    pub fn pgp_num(mut self, number: NonZeroU32) -> Self {
        self.pgp_num = Some(number);
        self
    }

    /// A replicated pool with the default number of copies.
    pub fn replicated(mut self) -> Self {
        self.kind = PoolKind::Replicated { size: None };
        self
    }

    /// A replicated pool with so many copies. One copy is lost with its disk, and refused unless the monitors'
    /// option `mon_allow_pool_size_one` is set.
    pub fn copies(mut self, copies: NonZeroU32) -> Self {
        self.kind = PoolKind::Replicated { size: Some(copies) };
        self
    }

    /// An erasure-coded pool with the default profile.
    pub fn erasure(mut self) -> Self {
        self.kind = PoolKind::Erasure { profile: None };
        self
    }

    /// An erasure-coded pool with this profile (`ceph osd erasure-code-profile set`).
    pub fn erasure_profile(mut self, profile: impl Into<String>) -> Self {
        let profile = Some(profile.into());
        self.kind = PoolKind::Erasure { profile };
        self
    }

    /// The name of the CRUSH rule that places its objects.
    pub fn crush_rule(mut self, rule: impl Into<String>) -> Self {
        self.crush_rule = Some(rule.into());
        self
    }

    /// How many objects it is expected to have.
    pub fn expected_objects(mut self, number: u64) -> Self {
        self.expected_objects = Some(number);
        self
    }

    fn command(&self, pool: &str) -> Value {
        let mut command = json!({"prefix": "osd pool create", "pool": pool});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                command[key] = value;
            }
        };
        set("pg_num", self.pg_num.map(|number| number.get().into()));
        set("pgp_num", self.pgp_num.map(|number| number.get().into()));
        set("rule", self.crush_rule.clone().map(Value::from));
        set(
            "expected_num_objects",
            self.expected_objects.map(Value::from),
        );
        match &self.kind {
            PoolKind::Unsaid => {}
            PoolKind::Replicated { size } => {
                set("pool_type", Some("replicated".into()));
                set("size", size.map(|size| size.get().into()));
            }
            PoolKind::Erasure { profile } => {
                set("pool_type", Some("erasure".into()));
                set("erasure_code_profile", profile.clone().map(Value::from));
            }
        }
        command
    }
}

impl Conn {
    /// Creates a pool as `options` say. Blocks until it is known here.
    ///
    /// ```no_run
    /// # fn main() -> rados::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// use rados::PoolOptions;
    ///
    /// let options = PoolOptions::new().pg_num(32.try_into().unwrap()).erasure_profile("k4m2");
    /// conn.pool_create_with("archive", &options)?;
    /// conn.pool_set("archive", "allow_ec_overwrites", "true")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` when there is no such rule; `OutOfRange` for more placement groups
    /// than the cluster has room for; `InvalidArgument` for an empty name or one with a NUL byte, when there is no such profile,
    /// and for numbers that do not go together; `PermissionDenied`.
    pub fn pool_create_with(&self, pool: &str, options: &PoolOptions) -> Result<()> {
        // To the monitor it is no error, whatever the pool there is.
        match self.pool_lookup(pool) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let hint = "there is a pool of this name";
                return Err(Error::refused("rados_mon_command", libc::EEXIST, hint).on(pool));
            }
        }
        self.mon_command(&options.command(pool), b"")?;
        if let PoolKind::Replicated { size: Some(size) } = options.kind
            && self.pool_get(pool, "size")? != size.get()
        {
            // Ceph 14 leaves it out of account when the pool is created.
            return self.pool_set(pool, "size", &size.to_string());
        }
        self.wait_for_latest_osdmap()
    }

    /// Sets one of a pool's settings, such as `size`, `min_size`, `pg_num`, `nodelete` or
    /// `compression_mode`. Blocks until the osdmap is known here; what the OSDs then do takes its time.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool; `InvalidArgument` for a setting that there is not, or a value that
    /// is none of its; `PermissionDenied`.
    pub fn pool_set(&self, pool: &str, setting: &str, value: &str) -> Result<()> {
        let command = json!({
            "prefix": "osd pool set",
            "pool": pool,
            "var": setting,
            "val": value,
        });
        self.mon_command(&command, b"")?;
        self.wait_for_latest_osdmap()
    }

    /// One of a pool's settings, as a number, a text or a boolean. Blocks; asks a monitor.
    ///
    /// A monitor of 14.2.21 aborts at a setting that it does not know.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool, or the setting is not set; `InvalidArgument` for a setting that
    /// there is not; `PermissionDenied`.
    pub fn pool_get(&self, pool: &str, setting: &str) -> Result<Value> {
        let command = json!({
            "prefix": "osd pool get",
            "pool": pool,
            "var": setting,
            "format": "json",
        });
        let mut answer: Value = self.mon_command(&command, b"")?.json()?;
        answer.get_mut(setting).map(Value::take).ok_or_else(|| {
            let hint = format!("the monitor's answer has no {setting}");
            Error::refused("rados_mon_command", libc::EBADMSG, hint).on(pool)
        })
    }

    /// Sets a pool's quota; `None` is no limit. Blocks until the osdmap is known here.
    ///
    /// Clients are stopped some seconds after the limit is passed: their writes wait, or fail on handles
    /// [`with_full_try`](crate::IoCtx::with_full_try).
    ///
    /// # Errors
    /// `NotFound` when there is no such pool; `PermissionDenied`.
    pub fn pool_set_quota(
        &self,
        pool: &str,
        max_objects: Option<u64>,
        max_bytes: Option<u64>,
    ) -> Result<()> {
        for (field, limit) in [("max_objects", max_objects), ("max_bytes", max_bytes)] {
            let command = json!({
                "prefix": "osd pool set-quota",
                "pool": pool,
                "field": field,
                "val": limit.unwrap_or(0).to_string(),
            });
            self.mon_command(&command, b"")?;
        }
        self.wait_for_latest_osdmap()
    }
}

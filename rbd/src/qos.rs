//! Limits of the rate of I/O.

use std::time::Duration;

use rados::{Error, ErrorKind, IoCtx, Result};

use crate::config::{ConfigOption, config_pool_list, config_pool_remove, config_pool_set};
use crate::image::Image;

/// Limits of the rate at which each client does I/O to an image: options `rbd_qos_*`, typed.
///
/// As the result of a question it has the values in force, with `None` for what the library does not know. When
/// it is set, what is `None` stays as it is.
///
/// ```no_run
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let image = rbd::Image::open(&conn.ioctx("rbd")?, "disk1")?;
/// let mut qos = rbd::Qos::default();
/// qos.iops.limit = Some(500);
/// qos.iops.burst = Some(2000); // for up to 10 seconds
/// qos.iops.burst_seconds = Some(10);
/// qos.write_bps.limit = Some(100 << 20);
/// image.qos_set(&qos)?;
/// assert_eq!(image.qos()?.iops.limit, Some(500));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Qos {
    /// Operations.
    pub iops: QosLimit,
    /// Reads.
    pub read_iops: QosLimit,
    /// Writes.
    pub write_iops: QosLimit,
    /// Bytes.
    pub bps: QosLimit,
    /// Bytes read.
    pub read_bps: QosLimit,
    /// Bytes written.
    pub write_bps: QosLimit,
    /// How often what waits is looked at, at least, in whole milliseconds from 1 on.
    pub schedule_tick_min: Option<Duration>,
}

/// A limit of [`Qos`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QosLimit {
    /// How many a second on average; 0 is no limit.
    pub limit: Option<u64>,
    /// How many a second for a short time; no less than `limit`, or 0 for no bursts.
    pub burst: Option<u64>,
    /// For how many seconds a burst may last, from 1 on. From Ceph 16 on.
    pub burst_seconds: Option<u64>,
}

/// The names of limits, in the order of [`Qos::limits`].
const LIMITS: [&str; 6] = [
    "iops",
    "read_iops",
    "write_iops",
    "bps",
    "read_bps",
    "write_bps",
];

const TICK: &str = "rbd_qos_schedule_tick_min";

/// The options of one limit.
fn names(limit: &str) -> [String; 3] {
    ["limit", "burst", "burst_seconds"].map(|part| format!("rbd_qos_{limit}_{part}"))
}

impl QosLimit {
    fn parts(&mut self) -> [&mut Option<u64>; 3] {
        [&mut self.limit, &mut self.burst, &mut self.burst_seconds]
    }

    fn check(&self) -> Result<()> {
        if self.burst_seconds == Some(0) {
            return refused("the seconds of a burst begin at 1");
        }
        match (self.limit, self.burst) {
            (Some(limit), Some(burst)) if (1..limit).contains(&burst) => {
                refused("a burst is no less than the limit, or 0")
            }
            _ => Ok(()),
        }
    }
}

fn refused<T>(hint: &'static str) -> Result<T> {
    Err(Error::refused("rbd_metadata_set", libc::EINVAL, hint))
}

impl Qos {
    fn limits(&mut self) -> [&mut QosLimit; 6] {
        [
            &mut self.iops,
            &mut self.read_iops,
            &mut self.write_iops,
            &mut self.bps,
            &mut self.read_bps,
            &mut self.write_bps,
        ]
    }

    /// Reads it from a listing.
    fn from_options(options: &[ConfigOption]) -> Result<Self> {
        let value = |name: &str| {
            let option = options.iter().find(|option| option.name == name);
            option.map(number).transpose()
        };
        let mut qos = Self::default();
        for (limit, name) in qos.limits().into_iter().zip(LIMITS) {
            for (part, name) in limit.parts().into_iter().zip(names(name)) {
                *part = value(&name)?;
            }
        }
        qos.schedule_tick_min = value(TICK)?.map(Duration::from_millis);
        Ok(qos)
    }

    /// The options that are to be set, and their values.
    fn to_options(&self) -> Result<Vec<(String, u64)>> {
        let mut qos = self.clone();
        let mut options = Vec::new();
        for (limit, name) in qos.limits().into_iter().zip(LIMITS) {
            limit.check()?;
            let parts = limit.parts().into_iter().zip(names(name));
            options.extend(parts.filter_map(|(part, name)| Some((name, (*part)?))));
        }
        if let Some(tick) = self.schedule_tick_min {
            match u64::try_from(tick.as_millis()) {
                Ok(millis @ 1..) if Duration::from_millis(millis) == tick => {
                    options.push((TICK.to_owned(), millis));
                }
                _ => return refused("schedule_tick_min is in whole milliseconds, from 1 on"),
            }
        }
        Ok(options)
    }
}

/// The number that an option has. As for `rbd config`, it may end with a power of 1000, from K to E.
fn number(option: &ConfigOption) -> Result<u64> {
    let text = option.value.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "B" => Some(1),
        "K" => Some(1000),
        "M" => Some(1000_u64.pow(2)),
        "G" => Some(1000_u64.pow(3)),
        "T" => Some(1000_u64.pow(4)),
        "P" => Some(1000_u64.pow(5)),
        "E" => Some(1000_u64.pow(6)),
        _ => None,
    };
    let number = digits.parse::<u64>().ok();
    let value = number.and_then(|number| number.checked_mul(factor?));
    value.ok_or_else(|| {
        let hint = format!("the value {:?} is no number", option.value);
        Error::refused("rbd_config_image_list", libc::EBADMSG, hint).on(option.name.clone())
    })
}

/// All options that are a limit's or have to do with them.
fn all_names() -> impl Iterator<Item = String> {
    LIMITS.into_iter().flat_map(names).chain([TICK.to_owned()])
}

/// Makes nothing of removing what is not set.
fn if_set(removed: Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Limits of the rate of I/O to the image. All methods block, and need the feature `pool-config`.
impl Image {
    /// The limits in force: the image's, the pool's, or those of the configuration.
    ///
    /// # Errors
    /// `Unsupported` where the library lacks the function; `Io` (EBADMSG) when an option is not a number.
    pub fn qos(&self) -> Result<Qos> {
        Qos::from_options(&self.config_list()?).map_err(|error| error.hint(self.subject()))
    }

    /// Sets limits for the image, one after another. Clients that have it open follow soon.
    ///
    /// # Errors
    /// `InvalidArgument` for numbers that are out of range, and for limits that the library does not know;
    /// `ReadOnly`.
    pub fn qos_set(&self, qos: &Qos) -> Result<()> {
        for (name, value) in qos.to_options()? {
            self.config_set(&name, &value.to_string())?;
        }
        Ok(())
    }

    /// Takes back all limits that are set for the image.
    ///
    /// # Errors
    /// `ReadOnly`.
    pub fn qos_remove(&self) -> Result<()> {
        all_names().try_for_each(|name| if_set(self.config_remove(&name)))
    }
}

/// The limits for the images of a pool that have none of their own. Blocks. Needs the feature `pool-config`.
///
/// # Errors
/// As [`config_pool_list`]; `Io` (EBADMSG) when an option is not a number.
pub fn qos_pool(ioctx: &IoCtx) -> Result<Qos> {
    Qos::from_options(&config_pool_list(ioctx)?)
}

/// Sets limits for the images of a pool, of all its namespaces, which are opened from now on. Blocks. Needs the feature
/// `pool-config`.
///
/// Each image has them for itself.
///
/// # Errors
/// `InvalidArgument` for numbers that are out of range, and for limits that the library does not know;
/// otherwise as [`config_pool_set`].
pub fn qos_pool_set(ioctx: &IoCtx, qos: &Qos) -> Result<()> {
    for (name, value) in qos.to_options()? {
        config_pool_set(ioctx, &name, &value.to_string())?;
    }
    Ok(())
}

/// Takes back all limits that are set for a pool. Blocks. Needs the feature `pool-config`.
///
/// # Errors
/// As [`config_pool_remove`], but nothing being set is none.
pub fn qos_pool_remove(ioctx: &IoCtx) -> Result<()> {
    all_names().try_for_each(|name| if_set(config_pool_remove(ioctx, &name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigSource;

    fn option(name: &str, value: &str) -> ConfigOption {
        ConfigOption {
            name: name.to_owned(),
            value: value.to_owned(),
            source: ConfigSource::Pool,
        }
    }

    #[test]
    fn numbers_may_have_a_unit() {
        for (text, value) in [
            ("0", 0),
            ("12", 12),
            ("10M", 10_000_000),
            ("18E", 18 * 10_u64.pow(18)),
        ] {
            assert_eq!(number(&option("o", text)).unwrap(), value);
        }
        for text in ["", "M", "-1", "1.5", "1Q", "19E", "ten"] {
            assert!(number(&option("o", text)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        let mut qos = Qos::default();
        for (n, limit) in (1..).zip(qos.limits()) {
            for (m, part) in (n * 10..).zip(limit.parts()) {
                *part = Some(m);
            }
        }
        qos.schedule_tick_min = Some(Duration::from_millis(20));
        let options = qos.to_options().unwrap();
        assert_eq!(options.len(), 19);
        let options: Vec<_> = options
            .iter()
            .map(|(name, value)| option(name, &value.to_string()))
            .collect();
        assert_eq!(Qos::from_options(&options).unwrap(), qos);
        assert_eq!(Qos::from_options(&[]).unwrap(), Qos::default());
        assert_eq!(Qos::default().to_options().unwrap(), []);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut qos = Qos::default();
        qos.bps.limit = Some(10);
        for (burst, good) in [(0, true), (9, false), (10, true)] {
            qos.bps.burst = Some(burst);
            assert_eq!(qos.to_options().is_ok(), good, "{burst}");
        }
        qos.bps.burst_seconds = Some(0);
        assert!(qos.to_options().is_err());
        qos.bps.burst_seconds = None;
        for micros in [0, 999, 1500] {
            qos.schedule_tick_min = Some(Duration::from_micros(micros));
            assert!(qos.to_options().is_err(), "{micros}");
        }
    }
}

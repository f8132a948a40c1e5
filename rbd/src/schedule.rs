//! What the manager does at regular times: emptying trashes, and taking snapshots for mirroring.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rados::{Command, Conn, Error, IoCtx, Result};
use serde_json::Value;

use crate::support::{ask, checked, lacks, text};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What the manager does by schedules. All methods block; the user needs permission for the manager
/// (`mgr 'profile rbd'`).
///
/// A schedule is for a [level](ScheduleLevel), and the innermost level that has some counts. Only pools that are
/// marked as used by RBD have schedules
#[cfg_attr(feature = "pool-stats", doc = "([`pool_init`](crate::pool_init)).")]
#[cfg_attr(not(feature = "pool-stats"), doc = "(`pool_init`).")]
///
/// ```no_run
/// use rbd::{Schedule, ScheduleLevel, Scheduler};
/// use std::time::Duration;
///
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// let pool = ScheduleLevel::pool(&conn.ioctx("rbd")?)?;
/// let daily = Schedule::every(Duration::from_secs(24 * 60 * 60))?.starting("02:30")?;
/// Scheduler::TrashPurge.add(&conn, &pool, &daily)?;
/// for level in Scheduler::TrashPurge.list(&conn, &ScheduleLevel::all())? {
///     println!("{}: {:?}", level.level, level.schedules);
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// `InvalidArgument` for a level that does not exist, or that this schedule cannot be for: a pool without the mark,
/// one image for `TrashPurge`, an image that is not mirrored by snapshots for `MirrorSnapshot`; `PermissionDenied`;
/// `TryAgain` while the manager starts; `Unsupported` when its module `rbd_support` does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheduler {
    /// Takes snapshots of images that are mirrored by snapshots. From Ceph 16 on.
    MirrorSnapshot,
    /// Removes from the trash what is no longer deferred. From Ceph 16 on.
    TrashPurge,
}

/// What a schedule is for: all pools, one, a namespace, or an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleLevel(String);

impl ScheduleLevel {
    /// All pools.
    pub fn all() -> Self {
        Self(String::new())
    }

    /// The pool of `ioctx`, with all its namespaces.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted.
    pub fn pool(ioctx: &IoCtx) -> Result<Self> {
        Ok(Self(format!("{}/", ioctx.pool_name()?)))
    }

    /// The namespace of `ioctx` in its pool, maybe the default one.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted.
    pub fn namespace(ioctx: &IoCtx) -> Result<Self> {
        Ok(Self(format!(
            "{}/{}/",
            ioctx.pool_name()?,
            ioctx.namespace()
        )))
    }

    /// An image in the pool and namespace of `ioctx`.
    ///
    /// # Errors
    /// `NotFound` when the pool has been deleted; `InvalidArgument` for a name that is empty, or has a slash or an
    /// `@`, which the manager cannot name.
    pub fn image(ioctx: &IoCtx, name: &str) -> Result<Self> {
        let Self(namespace) = Self::namespace(ioctx)?;
        Ok(Self(namespace + checked("image's name", name)?))
    }
}

/// As the commands `rbd ... schedule` know it; nothing for all pools.
impl fmt::Display for ScheduleLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How often something is done, and from when on in the day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Schedule {
    every: Duration,
    start: Option<String>,
}

impl Schedule {
    /// Whenever this time has passed. In whole minutes, from 1 on.
    ///
    /// # Errors
    /// `OutOfDomain`.
    pub fn every(interval: Duration) -> Result<Self> {
        let whole = interval.as_secs().is_multiple_of(MINUTE) && interval.subsec_nanos() == 0;
        if !whole || interval.is_zero() {
            let hint = format!("{interval:?} is not a number of minutes, from 1 on");
            return Err(Error::refused("rados_mgr_command", libc::EDOM, hint));
        }
        Ok(Self {
            every: interval,
            start: None,
        })
    }

    /// Counted from this time of the day on: `hours:minutes`, and maybe a time zone, as in `02:30` and
    /// `14:00-05:00`. By default from midnight on.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn starting(mut self, time: &str) -> Result<Self> {
        if !is_time(time) {
            let hint = format!("{time:?} is not a time such as 02:30 or 14:00-05:00");
            return Err(Error::refused("rados_mgr_command", libc::EINVAL, hint));
        }
        self.start = Some(time.to_owned());
        Ok(self)
    }

    /// The time that passes.
    pub fn interval(&self) -> Duration {
        self.every
    }

    /// From which time of the day on it is counted, as the manager writes it: with seconds.
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// The interval for the manager, in the largest unit that fits.
    fn interval_text(&self) -> String {
        let seconds = self.every.as_secs();
        let (unit, name) = match () {
            () if seconds.is_multiple_of(DAY) => (DAY, 'd'),
            () if seconds.is_multiple_of(HOUR) => (HOUR, 'h'),
            () => (MINUTE, 'm'),
        };
        format!("{}{name}", seconds / unit)
    }

    fn from_json(item: &Value) -> Result<Self> {
        let interval = text(item, "interval").ok_or_else(|| lacks("interval"))?;
        let every = interval_from(&interval).ok_or_else(|| lacks("interval that is one"))?;
        let start = text(item, "start_time");
        Ok(Self { every, start })
    }
}

/// Reads `90m`, `2h` and `1d`.
fn interval_from(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b'd' => DAY,
        b'h' => HOUR,
        _ => MINUTE,
    };
    let number = text.trim_end_matches(['d', 'h', 'm']);
    let seconds = u64::from_str(number).ok()?.checked_mul(unit)?;
    Some(Duration::from_secs(seconds))
}

/// Whether this is a time of the day with minutes, maybe seconds, and maybe a time zone: the manager takes dates as
/// well, and forgets the day.
fn is_time(text: &str) -> bool {
    let (time, zone) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text.strip_suffix('Z').unwrap_or(text), None),
    };
    let is = |text: &str, parts: std::ops::RangeInclusive<usize>| {
        let limits = [24, 60, 60];
        let fields: Vec<_> = text.split(':').collect();
        let good = |(field, limit): (&&str, u32)| {
            let digits =
                (1..=2).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_digit());
            digits && field.parse::<u32>().is_ok_and(|number| number < limit)
        };
        parts.contains(&fields.len()) && fields.iter().zip(limits).all(good)
    };
    is(time, 2..=3) && zone.is_none_or(|zone| is(zone, 2..=2))
}

/// The schedules of a level; made by [`Scheduler::list`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LevelSchedules {
    /// The level, as the commands `rbd ... schedule` know it: empty for all pools, `rbd/` for a pool, `rbd/ns/` for
    /// a namespace, `rbd/ns/image` and `rbd/image` for images.
    pub level: String,
    /// Its schedules, in no order.
    pub schedules: Vec<Schedule>,
}

/// What is going to be done next; made by [`Scheduler::status`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Scheduled {
    /// When, as the manager writes it in its own time zone: `2026-01-02 03:04:00`.
    pub time: String,
    /// To what: `pool/` or `pool/namespace/` for a trash, `pool/image` or `pool/namespace/image` for an image.
    pub what: String,
}

impl Scheduler {
    /// Adds a schedule to a level; does nothing if it is there.
    ///
    /// # Errors
    /// As for [`Scheduler`].
    pub fn add(self, conn: &Conn, level: &ScheduleLevel, schedule: &Schedule) -> Result<()> {
        ask(conn, &self.command("add", level, Some(schedule))).map(drop)
    }

    /// Removes a schedule from a level, or all that it has; does nothing if it is not there.
    ///
    /// # Errors
    /// As for [`Scheduler`].
    pub fn remove(
        self,
        conn: &Conn,
        level: &ScheduleLevel,
        schedule: Option<&Schedule>,
    ) -> Result<()> {
        ask(conn, &self.command("remove", level, schedule)).map(drop)
    }

    /// The schedules of a level and those inside it. When it has none itself, also those of the innermost level around it
    /// that has some, which count for it.
    ///
    /// # Errors
    /// As for [`Scheduler`].
    pub fn list(self, conn: &Conn, level: &ScheduleLevel) -> Result<Vec<LevelSchedules>> {
        let answer = ask(conn, &self.command("list", level, None))?;
        let levels = answer.as_object().ok_or_else(|| lacks("levels"))?;
        let levels = levels.values().map(|level| {
            let items = level.get("schedule").and_then(Value::as_array);
            let items = items.ok_or_else(|| lacks("schedule"))?;
            Ok(LevelSchedules {
                level: text(level, "name").ok_or_else(|| lacks("name"))?,
                schedules: items
                    .iter()
                    .map(Schedule::from_json)
                    .collect::<Result<_>>()?,
            })
        });
        levels.collect()
    }

    /// What the manager is going to do next in a level. It looks for new pools and images once a minute.
    ///
    /// # Errors
    /// As for [`Scheduler`].
    pub fn status(self, conn: &Conn, level: &ScheduleLevel) -> Result<Vec<Scheduled>> {
        let answer = ask(conn, &self.command("status", level, None))?;
        let key = match self {
            Self::MirrorSnapshot => "scheduled_images",
            Self::TrashPurge => "scheduled",
        };
        let items = answer.get(key).and_then(Value::as_array);
        let items = items.ok_or_else(|| lacks(key))?;
        items.iter().map(Scheduled::from_json).collect()
    }

    fn command(self, verb: &str, level: &ScheduleLevel, schedule: Option<&Schedule>) -> Command {
        let what = match self {
            Self::MirrorSnapshot => "mirror snapshot",
            Self::TrashPurge => "trash purge",
        };
        let prefix = format!("rbd {what} schedule {verb}");
        let mut command = Command::new(&prefix).arg("level_spec", level.0.as_str());
        if let Some(schedule) = schedule {
            command = command.arg("interval", schedule.interval_text());
            if let Some(start) = schedule.start() {
                command = command.arg("start_time", start);
            }
        }
        command
    }
}

impl Scheduled {
    fn from_json(item: &Value) -> Result<Self> {
        let time = text(item, "schedule_time").ok_or_else(|| lacks("schedule_time"))?;
        let trash = || {
            let pool = text(item, "pool_name")?;
            Some(match text(item, "namespace").unwrap_or_default() {
                namespace if namespace.is_empty() => format!("{pool}/"),
                namespace => format!("{pool}/{namespace}/"),
            })
        };
        let what = text(item, "image").or_else(trash);
        let what = what.ok_or_else(|| lacks("image or pool_name"))?;
        Ok(Self { time, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_in_their_largest_unit_and_read_again() {
        for (seconds, text) in [(60, "1m"), (5400, "90m"), (7200, "2h"), (172_800, "2d")] {
            let schedule = Schedule::every(Duration::from_secs(seconds)).unwrap();
            assert_eq!(schedule.interval_text(), text);
            assert_eq!(interval_from(text), Some(schedule.interval()));
        }
        assert_eq!(interval_from("5"), Some(Duration::from_secs(300)));
        for text in ["", "m", "1w", "-1m", "99999999999999999999d"] {
            assert_eq!(interval_from(text), None, "{text}");
        }
        for millis in [0, 59_999, 60_001, 90_000] {
            assert!(Schedule::every(Duration::from_millis(millis)).is_err());
        }
    }

    #[test]
    fn times_of_the_day() {
        for good in [
            "2:30",
            "02:30",
            "23:59:59",
            "14:00-05:00",
            "14:00:00+05:30",
            "14:00Z",
        ] {
            assert!(is_time(good), "{good}");
        }
        for bad in [
            "",
            "2",
            "24:00",
            "1:60",
            "1:00:60",
            "1:2:3:4",
            "2026-01-02",
            "a:b",
            "1:+2",
            "1:00+5",
            "+1:00",
        ] {
            assert!(!is_time(bad), "{bad}");
        }
    }
}

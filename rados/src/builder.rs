//! How to connect.

use std::ffi::{CString, c_char, c_int};
use std::fmt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ceph_core::cstr::CName;
use ceph_core::{Error, Result, check};
use zeroize::Zeroizing;

use crate::args::Early;
use crate::conn::ConnInner;
use crate::{Conn, connect_failure, ffi};

/// librados reads the environment, and keeps it in a static buffer, while it creates and
/// configures a handle.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// Configures and makes connections.
///
/// It reads nothing by itself but the environment variable `CEPH_ARGS`, as every Ceph program does:
/// without [`default_config_file`](Self::default_config_file), [`config_file`](Self::config_file)
/// or [`mon_host`](Self::mon_host) there is no monitor to talk to. Where a setting comes more than
/// once, the stronger source wins, whatever the order of the calls: a configuration file is weaker
/// than the environment, that than [`args`](Self::args), those than [`option`](Self::option) and
/// the methods named after an option.
///
/// A builder can connect any number of times; a failure leaves nothing behind that would spoil the
/// next try. Keys are wiped from its memory when it goes, and never appear in `Debug` or errors.
///
/// ```no_run
/// # fn main() -> rados::Result<()> {
/// use std::time::Duration;
///
/// let conn = rados::Conn::builder()
///     .id("backup")
///     .mon_host("10.0.0.1,10.0.0.2,10.0.0.3")
///     .keyring("/etc/backup/keyring")
///     .mount_timeout(Duration::from_secs(10))
///     .osd_timeout(Duration::from_secs(60))
///     .connect()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct ConnBuilder {
    name: Option<String>,
    cluster: Option<String>,
    files: Option<Files>,
    env_vars: Vec<String>,
    args: Vec<Zeroizing<String>>,
    options: Vec<(String, Zeroizing<Vec<u8>>)>,
}

#[derive(Debug, Clone)]
enum Files {
    Default,
    These(Vec<PathBuf>),
}

impl ConnBuilder {
    /// A builder for `client.admin` of the cluster `ceph`, with no configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects as `client.ID`. The default is `admin`.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.name(format!("client.{id}"))
    }

    /// Connects as the entity with this full name, such as `client.admin`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The cluster's name, which stands in the default paths of configuration file and keyring.
    /// The default is `ceph`.
    #[must_use]
    pub fn cluster_name(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = Some(cluster.into());
        self
    }

    /// Reads the default configuration file: the one that `CEPH_CONF` names, else
    /// `/etc/ceph/CLUSTER.conf`, `~/.ceph/CLUSTER.conf` or `CLUSTER.conf`, the first that there is.
    #[must_use]
    pub fn default_config_file(mut self) -> Self {
        self.files = Some(Files::Default);
        self
    }

    /// Reads this configuration file.
    #[must_use]
    pub fn config_file(self, path: impl Into<PathBuf>) -> Self {
        self.config_files([path])
    }

    /// Reads the first of these configuration files that there is.
    #[must_use]
    pub fn config_files(mut self, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        self.files = Some(Files::These(paths.into_iter().map(Into::into).collect()));
        self
    }

    /// Reads arguments also from this environment variable, separated by spaces as in `CEPH_ARGS`
    /// (which is always read).
    #[doc(alias = "rados_conf_parse_env")]
    #[must_use]
    pub fn env_var(mut self, variable: impl Into<String>) -> Self {
        self.env_vars.push(variable.into());
        self
    }

    /// Takes command-line arguments as Ceph's programs do, without the program's name: `--id`,
    /// `--name`/`-n`, `--cluster`, `--conf`/`-c`, `--mon-host`/`-m`, `--keyring`/`-k`, `--key`,
    /// `--keyfile`/`-K` and `--OPTION VALUE` or `--OPTION=VALUE` for every configuration option.
    ///
    /// [`connect`](Self::connect) refuses an argument that is none of these.
    #[doc(alias = "rados_conf_parse_argv")]
    #[doc(alias = "rados_conf_parse_argv_remainder")]
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| Zeroizing::new(arg.into())));
        self
    }

    /// Sets a configuration option by its name, with spaces, dashes or underscores between words.
    #[doc(alias = "rados_conf_set")]
    #[must_use]
    pub fn option(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = Zeroizing::new(value.as_ref().to_vec());
        self.options.push((name.replace(['-', ' '], "_"), value));
        self
    }

    /// The monitors' addresses, separated by commas, as in the option `mon_host`.
    #[must_use]
    pub fn mon_host(self, addresses: &str) -> Self {
        self.option("mon_host", addresses)
    }

    /// The file that holds the user's key.
    #[must_use]
    pub fn keyring(self, path: impl AsRef<Path>) -> Self {
        self.option("keyring", path.as_ref().as_os_str().as_encoded_bytes())
    }

    /// The user's key itself, in base64 as `ceph auth get-key` prints it.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.option("key", key)
    }

    /// How long [`connect`](Self::connect) tries to reach a monitor; whole seconds, rounded up.
    /// librados' default is 300 s.
    #[must_use]
    pub fn mount_timeout(self, timeout: Duration) -> Self {
        self.option("client_mount_timeout", seconds(timeout))
    }

    /// How long a request to a monitor may take; whole seconds, rounded up. The default is for ever.
    #[must_use]
    pub fn mon_timeout(self, timeout: Duration) -> Self {
        self.option("rados_mon_op_timeout", seconds(timeout))
    }

    /// How long an operation on an object may take; whole seconds, rounded up. The default is for
    /// ever: without it an operation blocks while its placement group has no active OSD.
    ///
    /// An operation that runs into it fails with `TimedOut`; if it was a write, it may have been
    /// applied, or still be.
    ///
    /// librados forgets it for a notification that is under way when the OSD is marked down. An image's watchers
    /// are notified of each change, so that a call that changes or closes an image may wait until the OSD is back.
    #[must_use]
    pub fn osd_timeout(self, timeout: Duration) -> Self {
        self.option("rados_osd_op_timeout", seconds(timeout))
    }

    /// Connects. Blocks until a monitor has answered and authentication is done, at most for
    /// [`mount_timeout`](Self::mount_timeout).
    ///
    /// # Errors
    /// Where the reason can be told, [`Error::cause`] is a [`ConnectFailure`]: no monitor is known,
    /// no keyring was found (with the paths that were tried), the user is not in it, the monitors
    /// refused or could not be reached. Else: `NotFound` for a configuration file or an option that
    /// does not exist; `InvalidArgument` for an unknown argument, a value that does not parse, an
    /// address that does not resolve, a NUL byte; `TimedOut`; `PermissionDenied`.
    ///
    /// [`ConnectFailure`]: crate::ConnectFailure
    #[doc(alias = "rados_connect")]
    #[doc(alias = "rados_create")]
    #[doc(alias = "rados_create2")]
    #[doc(alias = "rados_conf_read_file")]
    pub fn connect(&self) -> Result<Conn> {
        const OP: &str = "rados_connect";
        let refuse = |hint: String| Error::refused(OP, libc::EINVAL, hint);
        let (mut early, rest) = Early::take(&self.args).map_err(refuse)?;
        let env = Early::from_env().map_err(|hint| refuse(format!("in CEPH_ARGS, {hint}")))?;
        let explicit = Early {
            name: self.name.clone(),
            cluster: self.cluster.clone(),
            conf: None,
        };
        let conf = early.conf.take().or_else(|| match self.files {
            Some(Files::Default) => env.conf.clone(),
            _ => None,
        });
        let who = explicit.or(early).or(env);
        let name = who.name.unwrap_or_else(|| "client.admin".to_owned());
        let cluster = who.cluster.unwrap_or_else(|| "ceph".to_owned());
        let inner = {
            let _environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
            let c_cluster = CName::new(OP, "cluster name", &cluster)?;
            let c_name = CName::new(OP, "user name", &name)?;
            let inner = ConnInner::create(&c_cluster, &c_name).map_err(|e| e.on(&*name))?;
            match (conf, &self.files) {
                // A list is split by librados, as by Ceph's programs.
                (Some(list), _) => read_file(&inner, Some(list.as_bytes()), &list)?,
                (None, Some(Files::Default)) => {
                    read_file(&inner, None, "the default file").map_err(|error| {
                        let places = format!("/etc/ceph/{cluster}.conf, ~/.ceph/{cluster}.conf");
                        error.hint(format!(
                            "looked for $CEPH_CONF, else {places}, {cluster}.conf"
                        ))
                    })?;
                }
                (None, Some(Files::These(paths))) => read_first(&inner, paths)?,
                (None, None) => {}
            }
            for variable in &self.env_vars {
                parse_env(&inner, variable)?;
            }
            parse_args(&inner, &rest)?;
            for (option, value) in &self.options {
                conf_set(&inner, option, value)?;
            }
            inner
        };
        let raw = inner.raw(OP)?;
        // SAFETY: `raw` is created and not connected. On failure the handle is of no more use,
        // and `inner` shuts it down.
        let code = unsafe { ffi::rados_connect(raw) };
        check(OP, code).map_err(|error| connect_failure::explain(error, &inner, &name))?;
        Ok(Conn::from_inner(inner))
    }
}

impl fmt::Debug for ConnBuilder {
    /// Shows what is set; of arguments and options only the names, since values can be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("ConnBuilder")
            .field("name", &self.name)
            .field("cluster", &self.cluster)
            .field("files", &self.files)
            .field("env_vars", &self.env_vars)
            .field("args", &self.args.len())
            .field("options", &options)
            .finish()
    }
}

/// Whole seconds, at least one: to librados 0 means for ever.
fn seconds(timeout: Duration) -> String {
    let part = u64::from(timeout.subsec_nanos() > 0);
    timeout.as_secs().saturating_add(part).max(1).to_string()
}

/// Reads the first file of `paths` that there is.
fn read_first(inner: &ConnInner, paths: &[PathBuf]) -> Result<()> {
    const OP: &str = "rados_conf_read_file";
    let shown = || {
        paths
            .iter()
            .map(|p| p.display().to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    // librados answers 0 for a missing file once another has been read, so look ourselves.
    let Some(path) = paths.iter().find(|path| path.exists()) else {
        let hint = "no such configuration file";
        return Err(Error::refused(OP, libc::ENOENT, hint).on(shown()));
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.iter().any(|byte| b",;".contains(byte)) {
        let hint = "librados would split this path at ',' or ';'";
        return Err(Error::refused(OP, libc::EINVAL, hint).on(path.display().to_string()));
    }
    read_file(inner, Some(bytes), &path.display().to_string())
}

fn read_file(inner: &ConnInner, path: Option<&[u8]>, shown: &str) -> Result<()> {
    const OP: &str = "rados_conf_read_file";
    let raw = inner.raw(OP)?;
    let path = path.map(|path| CName::new(OP, "path", path)).transpose()?;
    let pointer = path.as_ref().map_or(ptr::null(), CName::as_ptr);
    // SAFETY: `raw` is created; `path` lives until the call returns, and NULL asks for the
    // default file.
    let code = unsafe { ffi::rados_conf_read_file(raw, pointer) };
    check(OP, code).map(drop).map_err(|error| error.on(shown))
}

fn parse_env(inner: &ConnInner, variable: &str) -> Result<()> {
    const OP: &str = "rados_conf_parse_env";
    let raw = inner.raw(OP)?;
    let name = CName::new(OP, "variable", variable)?;
    // SAFETY: `raw` is created, `name` lives until the call returns, and the caller holds the lock
    // that keeps the library's static buffer ours.
    let code = unsafe { ffi::rados_conf_parse_env(raw, name.as_ptr()) };
    check(OP, code)
        .map(drop)
        .map_err(|error| error.on(variable))
}

fn parse_args(inner: &ConnInner, args: &[Zeroizing<String>]) -> Result<()> {
    const OP: &str = "rados_conf_parse_argv_remainder";
    if args.is_empty() {
        return Ok(());
    }
    let raw = inner.raw(OP)?;
    let owned = args
        .iter()
        .map(|arg| c_secret(OP, "argument", arg.as_bytes()));
    let owned = owned.collect::<Result<Vec<_>>>()?;
    // The library skips the first, the program's name.
    let argv: Vec<*const c_char> = std::iter::once(c"".as_ptr())
        .chain(owned.iter().map(|arg| arg.as_ptr()))
        .collect();
    let mut rest: Vec<*const c_char> = vec![ptr::null(); argv.len()];
    let count = c_int::try_from(argv.len())
        .map_err(|_| Error::refused(OP, libc::E2BIG, "too many arguments"))?;
    // SAFETY: `argv` holds `count` strings that live on in `owned`, and `rest` has room for as many.
    let code = unsafe {
        ffi::rados_conf_parse_argv_remainder(
            raw,
            count,
            argv.as_ptr().cast_mut(),
            rest.as_mut_ptr(),
        )
    };
    check(OP, code)?;
    // What is left points into `owned`; compare pointers rather than follow them.
    let left = owned
        .iter()
        .zip(args)
        .find(|(c, _)| rest.contains(&c.as_ptr()));
    match left {
        None => Ok(()),
        Some((_, arg)) => {
            // An unknown option's value may be a secret: name the option alone.
            let name = arg.split('=').next().unwrap_or_default();
            Err(Error::refused(
                OP,
                libc::EINVAL,
                format!("unknown argument {name:?}"),
            ))
        }
    }
}

fn conf_set(inner: &ConnInner, option: &str, value: &[u8]) -> Result<()> {
    const OP: &str = "rados_conf_set";
    let raw = inner.raw(OP)?;
    let name = CName::new(OP, "option", option)?;
    let value = c_secret(OP, "option's value", value)?;
    // SAFETY: `raw` is created, and both strings live until the call returns.
    let code = unsafe { ffi::rados_conf_set(raw, name.as_ptr(), value.as_ptr()) };
    check(OP, code).map(drop).map_err(|error| {
        let error = error.on(option);
        match error.errno().raw() {
            libc::ENOENT => error.hint("there is no such configuration option"),
            libc::EINVAL => error.hint("the value does not parse"),
            _ => error,
        }
    })
}

/// A C string that is wiped when it goes. Its text is not shown in the error.
fn c_secret(op: &'static str, what: &str, value: &[u8]) -> Result<Zeroizing<CString>> {
    match CString::new(value) {
        Ok(string) => Ok(Zeroizing::new(string)),
        Err(error) => {
            let at = error.nul_position();
            drop(Zeroizing::new(error.into_vec()));
            Err(Error::refused(
                op,
                libc::EINVAL,
                format!("the {what} holds a NUL byte at {at}"),
            ))
        }
    }
}
